import { constants } from 'node:os';
import { expect, test } from 'vitest';
import type { ContainerConfig, ContainerSecurityContext } from '../runtime.ts';
import { containerEntries, type Surroundings, signalNumber } from './container-entries.ts';

const at: Surroundings = {
  directory: '/state/containers/1',
  outcomePath: '/state/starts/1',
  cgroupDirectories: ['/cg/cpu/pod/1', '/cg/memory/pod/1'],
  holder: { pid: 10, startTime: '100' },
  target: { pid: 20, startTime: '200' },
  ownHostname: true,
  hostname: 'arm',
  files: {},
  user: { uid: 1, gid: 2, supplementalGroups: [2, 3], home: '/home/x' },
  hiddenPaths: ['/var/lib/agent'],
};

const config = (
  change: Partial<ContainerConfig> = {},
  security: Partial<ContainerSecurityContext> = {},
): ContainerConfig => ({
  metadata: { name: 'main', attempt: 0 },
  image: '',
  userSpecifiedImage: '',
  runtimeHandler: '',
  command: ['prog'],
  args: ['a', ''],
  workingDir: '',
  envs: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: '',
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  rlimits: [],
  ...change,
  securityContext: {
    privileged: false,
    capabilities: { add: [], drop: [] },
    namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
    readonlyRootfs: false,
    supplementalGroups: [],
    noNewPrivs: false,
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    seccomp: { type: 'RuntimeDefault' },
    ...security,
  },
});

const values = (key: string, ...[change, security]: Parameters<typeof config>) =>
  containerEntries(config(change, security), at)
    .filter(([name]) => name === key)
    .map(([, value]) => value);

test('namespaces of the pod are joined by the process that holds them', () => {
  for (const key of ['network', 'ipc', 'uts']) expect(values(key)).toEqual(['join:10 100']);
  expect(values('shm')).toEqual(['10 100']);
  const host = { namespaceOptions: { network: 'NODE', pid: 'NODE', ipc: 'NODE' } } as const;
  for (const key of ['network', 'ipc', 'pid']) expect(values(key, {}, host)).toEqual(['host']);
  expect(values('shm', {}, host)).toEqual([]);
});

test.each([
  ['CONTAINER', 'new'],
  ['POD', 'join:10 100'],
  ['TARGET', 'join:20 200'],
  ['NODE', 'host'],
] as const)('process namespace %s is %s', (pid, value) => {
  expect(values('pid', {}, { namespaceOptions: { network: 'POD', pid, ipc: 'POD' } })).toEqual([value]);
});

test('command, arguments and the last of equal variables are passed on', () => {
  expect(values('arg')).toEqual(['prog', 'a', '']);
  const envs = [
    { key: 'PATH', value: '/opt/bin' },
    { key: 'A', value: '1' },
    { key: 'A', value: '2' },
  ];
  expect(values('env', { envs })).toEqual(['PATH=/opt/bin', 'HOSTNAME=arm', 'HOME=/home/x', 'A=2']);
});

test('a privileged container has nothing masked, no filter and may gain privileges', () => {
  const privileged = { privileged: true, noNewPrivs: true };
  expect(values('maskedPath', {}, privileged)).toEqual([]);
  expect(values('readonlyPath', {}, privileged)).toEqual([]);
  expect(values('seccomp', {}, privileged)).toEqual(['unconfined']);
  expect(values('noNewPrivs', {}, privileged)).toEqual([]);
  expect(values('maskedPath')).toEqual(['/proc/kcore']);
  expect(values('seccomp')).toEqual(['default']);
});

test('limits go by number, and none is the largest', () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
    { type: 'rtprio', soft: 80, hard: 80 },
    { type: 'MEMLOCK', soft: Infinity, hard: -1 },
  ];
  expect(values('rlimit', { rlimits })).toEqual([
    '7 RLIMIT_NOFILE 10 20',
    '14 rtprio 80 80',
    '8 MEMLOCK 18446744073709551615 18446744073709551615',
  ]);
  expect(() => values('rlimit', { rlimits: [{ type: 'WINGS', soft: 1, hard: 1 }] })).toThrow(/WINGS/);
});

test('a device of another name is mounted, one of the same name is there already', () => {
  const devices = [
    { containerPath: '/dev/null', hostPath: '/dev/null', permissions: 'rw' },
    { containerPath: '/dev/camera', hostPath: '/dev/video0', permissions: 'rw' },
  ];
  expect(values('mount.source', { devices })).toEqual(['/dev/video0']);
  expect(values('mount.target', { devices })).toEqual(['/dev/camera']);
});

test.each([
  [undefined, constants.signals.SIGTERM],
  ['', constants.signals.SIGTERM],
  ['SIGINT', constants.signals.SIGINT],
  ['quit', constants.signals.SIGQUIT],
  ['SIGRTMIN+3', 37],
  ['9', 9],
])('signal %j is %d', (name, number) => {
  expect(signalNumber(name)).toBe(number);
});

test('an unknown signal is refused', () => {
  expect(() => signalNumber('SIGNOTHING')).toThrow(/SIGNOTHING/);
});
