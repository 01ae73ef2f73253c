/** The set of capabilities that a container gets: what container runtimes grant by default, and what was asked for. */
import { capabilityNames, normalizedCapability } from '../capabilities.ts';
import { type ContainerSecurityContext, RuntimeError } from '../runtime.ts';

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
  const everything = (1n << BigInt(capabilityNames.length)) - 1n;
  if (context.privileged) return { mask: everything, all: true };
  const add = context.capabilities.add.map(normalizedCapability);
  const drop = context.capabilities.drop.map(normalizedCapability);
  const all = add.includes('ALL');
  let mask = all ? everything : drop.includes('ALL') ? 0n : maskOf(granted);
  mask |= maskOf(add.filter((name) => name !== 'ALL'));
  mask &= ~maskOf(drop.filter((name) => name !== 'ALL'));
  return { mask, all };
}

function maskOf(wanted: readonly string[]): bigint {
  return wanted.reduce((mask, name) => {
    const number = capabilityNames.indexOf(name);
    if (number < 0) throw new RuntimeError('InvalidArgument', `there is no capability ${name}`);
    return mask | (1n << BigInt(number));
  }, 0n);
}
