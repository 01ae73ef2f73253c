/** The record by which roslet-oci makes a container's process, from its CRI configuration. */
import { constants } from 'node:os';
import { join } from 'node:path';
import { type ContainerConfig, RuntimeError } from '../runtime.ts';
import { capabilitySet } from './capabilities.ts';
import type { Identity } from './identity.ts';
import { mountEntries, type SandboxFiles } from './mounts.ts';
import { formatProcess, type ProcessRef } from './processes.ts';
import type { Entry } from './record.ts';

export interface Surroundings {
  directory: string;
  outcomePath: string;
  cgroupDirectories: readonly string[];
  /** Holds the namespaces of the pod. */
  holder: ProcessRef;
  /** The process whose pid namespace is joined with mode `TARGET`. */
  target?: ProcessRef;
  ownHostname: boolean;
  hostname: string;
  files: SandboxFiles;
  user: Identity;
  hiddenPaths: readonly string[];
}

export function containerEntries(config: ContainerConfig, at: Surroundings): Entry[] {
  const { securityContext: security } = config;
  const { network, ipc, pid } = security.namespaceOptions;
  const join_ = `join:${formatProcess(at.holder)}`;
  const pidMode = {
    NODE: 'host',
    CONTAINER: 'new',
    POD: join_,
    TARGET: at.target && `join:${formatProcess(at.target)}`,
  };
  const capabilities = capabilitySet(security);
  const flag = (key: string, on: boolean): Entry[] => (on ? [[key, '1']] : []);
  const each = (key: string, values: readonly (string | number)[]): Entry[] =>
    values.map((value): Entry => [key, value]);
  return [
    ['outcome', at.outcomePath],
    ['root', join(at.directory, 'rootfs')],
    ...each('cgroup', at.cgroupDirectories),
    ['network', network === 'POD' ? join_ : 'host'],
    ['ipc', ipc === 'POD' ? join_ : 'host'],
    ['uts', at.ownHostname ? join_ : 'host'],
    ['pid', pidMode[pid] ?? 'host'],
    ...(ipc === 'POD' ? ([['shm', formatProcess(at.holder)]] satisfies Entry[]) : []),
    ...flag('readonlyRoot', security.readonlyRootfs),
    ...mountEntries([...config.mounts, ...deviceMounts(config)], at.files),
    ...(security.privileged ? [] : each('hiddenPath', at.hiddenPaths)),
    ...(security.privileged ? [] : each('maskedPath', security.maskedPaths)),
    ...(security.privileged ? [] : each('readonlyPath', security.readonlyPaths)),
    ['uid', at.user.uid],
    ['gid', at.user.gid],
    ...each('group', at.user.supplementalGroups),
    ['capabilities', capabilities.mask.toString(16)],
    ...flag('capabilitiesAll', capabilities.all),
    ...flag('noNewPrivs', security.noNewPrivs && !security.privileged),
    [
      'seccomp',
      security.seccomp.type === 'RuntimeDefault' && !security.privileged ? 'default' : 'unconfined',
    ],
    ...each('rlimit', config.rlimits.map(rlimitEntry)),
    ...(config.resources.oomScoreAdj === undefined
      ? []
      : ([['oomScoreAdj', config.resources.oomScoreAdj]] satisfies Entry[])),
    ['workingDir', config.workingDir || '/'],
    ...each('env', environment(config, at)),
    ...each('arg', [...config.command, ...config.args]),
  ];
}

/** The last of equal names wins, as in an image's environment overridden by the pod's. */
function environment(config: ContainerConfig, at: Surroundings): string[] {
  const variables = new Map([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ['HOSTNAME', at.hostname],
    ['HOME', at.user.home],
    ...(config.tty ? ([['TERM', 'xterm']] as const) : []),
    ...config.envs.map(({ key, value }) => [key, value] as const),
  ]);
  return [...variables].map(([key, value]) => `${key}=${value}`);
}

/** The host's devices are there already, under the host's permissions: only another name needs a mount. */
const deviceMounts = (config: ContainerConfig): ContainerConfig['mounts'] =>
  config.devices
    .filter(({ containerPath, hostPath }) => containerPath !== hostPath)
    .map(({ containerPath, hostPath }) => ({
      containerPath,
      hostPath,
      readonly: false,
      recursiveReadOnly: false,
      selinuxRelabel: false,
      propagation: 'PRIVATE',
    }));

/** getrlimit(2) on Linux. */
const limits = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NPROC',
  'NOFILE',
  'MEMLOCK',
  'AS',
  'LOCKS',
  'SIGPENDING',
  'MSGQUEUE',
  'NICE',
  'RTPRIO',
  'RTTIME',
];

function rlimitEntry({ type, soft, hard }: ContainerConfig['rlimits'][number]): string {
  const number = limits.indexOf(type.toUpperCase().replace(/^RLIMIT_/, ''));
  if (number < 0) throw new RuntimeError('InvalidArgument', `there is no limit ${type}`);
  const value = (limit: number): string =>
    limit < 0 || limit === Infinity ? '18446744073709551615' : String(limit);
  return `${number} ${type} ${value(soft)} ${value(hard)}`;
}

export function signalNumber(name: string | undefined): number {
  if (!name) return constants.signals.SIGTERM;
  const full = name.toUpperCase().startsWith('SIG') ? name.toUpperCase() : `SIG${name.toUpperCase()}`;
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(full);
  // glibc keeps the first two real-time signals for itself.
  if (realTime) return 34 + Number(realTime[1] ?? 0);
  const number = (constants.signals as Record<string, number>)[full] ?? (Number(name) || undefined);
  if (number === undefined) throw new RuntimeError('InvalidArgument', `there is no signal ${name}`);
  return number;
}
