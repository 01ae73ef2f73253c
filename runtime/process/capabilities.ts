/** Capabilities by name and number (linux/capability.h), and the set that container runtimes grant by default. */
import { type ContainerSecurityContext, RuntimeError } from '../runtime.ts';

const names = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];

const granted = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
];

export interface CapabilitySet {
  mask: bigint;
  /** Everything that the agent itself holds is meant, whatever that is. */
  all: boolean;
}

/** `ALL` is taken first, as container runtimes do: what is named beside it is added to or dropped from the result. */
export function capabilitySet(
  context: Pick<ContainerSecurityContext, 'privileged' | 'capabilities'>,
): CapabilitySet {
  const everything = (1n << BigInt(names.length)) - 1n;
  if (context.privileged) return { mask: everything, all: true };
  const add = context.capabilities.add.map(normalized);
  const drop = context.capabilities.drop.map(normalized);
  const all = add.includes('ALL');
  let mask = all ? everything : drop.includes('ALL') ? 0n : maskOf(granted);
  mask |= maskOf(add.filter((name) => name !== 'ALL'));
  mask &= ~maskOf(drop.filter((name) => name !== 'ALL'));
  return { mask, all };
}

const normalized = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');

function maskOf(wanted: readonly string[]): bigint {
  return wanted.reduce((mask, name) => {
    const number = names.indexOf(name);
    if (number < 0) throw new RuntimeError('InvalidArgument', `there is no capability ${name}`);
    return mask | (1n << BigInt(number));
  }, 0n);
}
