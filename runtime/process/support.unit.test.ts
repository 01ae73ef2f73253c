import { expect, test } from 'vitest';
import type { ContainerConfig, PodSandboxConfig } from '../runtime.ts';
import { checkContainer, checkSandbox, sysctlNamespace } from './support.ts';

const sandbox = (change: Partial<PodSandboxConfig> = {}): PodSandboxConfig => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 0 },
  hostname: '',
  logDirectory: '/log',
  portMappings: [],
  labels: {},
  annotations: {},
  cgroupParent: '/pods/pu',
  sysctls: {},
  securityContext: {
    namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' },
    readonlyRootfs: false,
    supplementalGroups: [],
    privileged: false,
    seccomp: { type: 'RuntimeDefault' },
  },
  ...change,
});

const container = (change: Partial<ContainerConfig> = {}): ContainerConfig => ({
  metadata: { name: 'main', attempt: 0 },
  image: '',
  userSpecifiedImage: '',
  runtimeHandler: '',
  command: ['true'],
  args: [],
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
  securityContext: {
    privileged: false,
    capabilities: { add: [], drop: [] },
    namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' },
    readonlyRootfs: false,
    supplementalGroups: [],
    noNewPrivs: false,
    maskedPaths: [],
    readonlyPaths: [],
    seccomp: { type: 'RuntimeDefault' },
  },
  ...change,
});

const mount = (containerPath: string, hostPath: string, image?: string) => ({
  containerPath,
  hostPath,
  ...(image && { image }),
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: false,
  propagation: 'PRIVATE' as const,
});

test('a plain sandbox and container are accepted', () => {
  expect(() => checkSandbox(sandbox(), '')).not.toThrow();
  expect(() => checkContainer(container())).not.toThrow();
});

test.each<[string, RegExp, Partial<PodSandboxConfig>, string?]>([
  ['a runtime handler', /handler kata/, {}, 'kata'],
  ['a relative cgroup', /cgroupParent "pods"/, { cgroupParent: 'pods' }],
  ['a cgroup that leads out', /cgroupParent/, { cgroupParent: '/pods/../..' }],
  ['a hostname that is too long', /longer than 64/, { hostname: 'x'.repeat(65) }],
  ['a sysctl of the whole machine', /vm.swappiness/, { sysctls: { 'vm.swappiness': '1' } }],
  [
    'a network sysctl on the host network',
    /own network namespace/,
    { sysctls: { 'net.core.somaxconn': '1' } },
  ],
  [
    'a seccomp profile from a file',
    /Localhost/,
    { securityContext: { ...sandbox().securityContext, seccomp: { type: 'Localhost', localhostRef: '/x' } } },
  ],
])('%s is refused', (_what, message, change, handler = '') => {
  expect(() => checkSandbox(sandbox(change), handler)).toThrow(message);
});

test.each<[string, RegExp, Partial<ContainerConfig>]>([
  ['no command', /main has no command/, { command: [] }],
  ['a relative working directory', /workingDir x/, { workingDir: 'x' }],
  ['an unusable variable name', /"A=B"/, { envs: [{ key: 'A=B', value: '' }] }],
  ['an image volume', /cannot mount the image i/, { mounts: [mount('/a', '', 'i')] }],
  ['a relative mount path', /mount path a/, { mounts: [mount('a', '/x')] }],
  ['a mount path with ..', /mount path \/a\/\.\.\/b/, { mounts: [mount('/a/../b', '/x')] }],
  ['a mount in the place of the root', /mount path \//, { mounts: [mount('//.', '/x')] }],
  ['a relative source', /x is not an absolute path/, { mounts: [mount('/a', 'x')] }],
  [
    'SELinux labels',
    /SELinux/,
    { securityContext: { ...container().securityContext, selinuxOptions: { level: 's0' } } },
  ],
])('%s is refused', (_what, message, change) => {
  expect(() => checkContainer(container(change))).toThrow(message);
});

test('arguments alone are a command', () => {
  expect(() => checkContainer(container({ command: [], args: ['true'] }))).not.toThrow();
});

test.each([
  ['net.ipv4.ip_forward', 'network'],
  ['net/ipv4/conf/all/rp_filter', 'network'],
  ['kernel.shmmax', 'ipc'],
  ['kernel.msgmnb', 'ipc'],
  ['fs.mqueue.msg_max', 'ipc'],
  ['kernel.pid_max', undefined],
  ['vm.overcommit_memory', undefined],
  ['net.ipv4.../x', undefined],
  ['../net.x', undefined],
])('sysctl %s belongs to %s', (name, owner) => {
  expect(sysctlNamespace(name)).toBe(owner);
});
