import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ContainerConfig, PodSandboxConfig } from '../runtime.ts';
import {
  decodeContainerStatus,
  decodeImage,
  decodeSandboxStatus,
  decodeSignal,
  decodeStats,
} from './decode.ts';
import {
  ceilSeconds,
  encodeContainerConfig,
  encodeContainerFilter,
  encodeResources,
  encodeSandboxConfig,
  encodeSandboxFilter,
  encodeSignal,
} from './encode.ts';
import * as cri from './gen/runtime.ts';

const namespaceOptions = { network: 'NODE', pid: 'TARGET', ipc: 'POD', targetId: 'abc' } as const;

const sandbox: PodSandboxConfig = {
  metadata: { name: 'pod', namespace: 'ns', uid: 'uid', attempt: 3 },
  hostname: 'robot',
  logDirectory: '/logs',
  dnsConfig: { servers: ['192.0.2.1'], searches: ['a.test'], options: ['ndots:5'] },
  portMappings: [{ protocol: 'UDP', containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }],
  labels: { a: 'b' },
  annotations: { c: 'd' },
  cgroupParent: '/kubepods/pod1',
  sysctls: { 'net.core.somaxconn': '1024' },
  securityContext: {
    namespaceOptions,
    runAsUser: 0,
    runAsGroup: 7,
    readonlyRootfs: true,
    supplementalGroups: [1, 2],
    supplementalGroupsPolicy: 'Strict',
    privileged: true,
    seccomp: { type: 'Localhost', localhostRef: '/profiles/a.json' },
    apparmor: { type: 'RuntimeDefault' },
    selinuxOptions: { level: 's0' },
  },
  resources: { cpuShares: 2 },
  overhead: { memoryLimitBytes: 4096 },
};

const container: ContainerConfig = {
  metadata: { name: 'main', attempt: 1 },
  image: 'sha256:1',
  userSpecifiedImage: 'busybox',
  runtimeHandler: 'runc',
  command: ['a'],
  args: ['b'],
  workingDir: '/w',
  envs: [{ key: 'K', value: 'v=' }],
  mounts: [
    {
      containerPath: '/data',
      hostPath: '/host',
      readonly: true,
      recursiveReadOnly: true,
      selinuxRelabel: true,
      propagation: 'BIDIRECTIONAL',
      image: 'model:1',
      imageSubPath: 'sub',
    },
  ],
  devices: [{ containerPath: '/dev/a', hostPath: '/dev/b', permissions: 'rw' }],
  labels: { l: '1' },
  annotations: { n: '2' },
  logPath: 'main.log',
  stdin: true,
  stdinOnce: true,
  tty: true,
  resources: {
    cpuPeriodUs: 100_000,
    cpuQuotaUs: -1,
    cpuShares: 1024,
    memoryLimitBytes: 2 ** 40,
    memorySwapLimitBytes: 2 ** 41,
    oomScoreAdj: -997,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{ pageSize: '2MB', limitBytes: 2 ** 21 }],
    unified: { 'memory.min': '1' },
  },
  securityContext: {
    privileged: false,
    capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    namespaceOptions,
    runAsUsername: 'nobody',
    readonlyRootfs: true,
    supplementalGroups: [],
    noNewPrivs: true,
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    seccomp: { type: 'Unconfined' },
    apparmor: { type: 'Localhost', localhostRef: 'profile' },
  },
  rlimits: [],
  stopSignal: 'SIGRTMIN+3',
};

/** A message with these fields; the others are as on the wire when they are not sent. */
const partial = <Message>(
  codec: { decode(bytes: Uint8Array): Message },
  fields: Partial<Message>,
): Message => ({
  ...codec.decode(new Uint8Array()),
  ...fields,
});

const overTheWire = <Message>(
  codec: { encode(message: Message): { finish(): Uint8Array }; decode(bytes: Uint8Array): Message },
  message: Message,
): Message => codec.decode(codec.encode(message).finish());

test('a sandbox configuration says the same on the wire', () => {
  const { linux, ...sent } = overTheWire(cri.PodSandboxConfig, encodeSandboxConfig(sandbox));
  expect(sent).toMatchObject({
    metadata: { name: 'pod', namespace: 'ns', uid: 'uid', attempt: 3 },
    hostname: 'robot',
    logDirectory: '/logs',
    dnsConfig: sandbox.dnsConfig,
    portMappings: [{ protocol: cri.Protocol.UDP, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }],
    labels: { a: 'b' },
    annotations: { c: 'd' },
  });
  expect(linux).toMatchObject({
    cgroupParent: '/kubepods/pod1',
    sysctls: { 'net.core.somaxconn': '1024' },
    resources: { cpuShares: 2n },
    overhead: { memoryLimitInBytes: 4096n },
    securityContext: {
      namespaceOptions: { network: 2, pid: 3, ipc: 0, targetId: 'abc' },
      runAsUser: { value: 0n },
      runAsGroup: { value: 7n },
      readonlyRootfs: true,
      supplementalGroups: [1n, 2n],
      supplementalGroupsPolicy: cri.SupplementalGroupsPolicy.Strict,
      privileged: true,
      seccomp: { profileType: cri.SecurityProfile_ProfileType.Localhost, localhostRef: '/profiles/a.json' },
      apparmor: { profileType: cri.SecurityProfile_ProfileType.RuntimeDefault },
      selinuxOptions: { user: '', role: '', type: '', level: 's0' },
    },
  });
});

test('a container configuration says the same on the wire', () => {
  const sent = overTheWire(cri.ContainerConfig, encodeContainerConfig(container));
  expect(sent).toMatchObject({
    metadata: { name: 'main', attempt: 1 },
    image: { image: 'sha256:1', userSpecifiedImage: 'busybox', runtimeHandler: 'runc' },
    command: ['a'],
    args: ['b'],
    workingDir: '/w',
    envs: [{ key: 'K', value: 'v=' }],
    mounts: [
      {
        ...container.mounts[0],
        propagation: cri.MountPropagation.PROPAGATION_BIDIRECTIONAL,
        image: { image: 'model:1' },
      },
    ],
    devices: container.devices,
    labels: { l: '1' },
    annotations: { n: '2' },
    logPath: 'main.log',
    stdin: true,
    stdinOnce: true,
    tty: true,
    stopSignal: cri.Signal.SIGRTMINPLUS3,
  });
  expect(sent.linux?.resources).toEqual({
    cpuPeriod: 100_000n,
    cpuQuota: -1n,
    cpuShares: 1024n,
    memoryLimitInBytes: 2n ** 40n,
    memorySwapLimitInBytes: 2n ** 41n,
    oomScoreAdj: -997n,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{ pageSize: '2MB', limit: 2n ** 21n }],
    unified: { 'memory.min': '1' },
  });
  expect(sent.linux?.securityContext).toMatchObject({
    privileged: false,
    capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
    namespaceOptions: { network: 2, pid: 3, ipc: 0, targetId: 'abc' },
    runAsUser: undefined,
    runAsUsername: 'nobody',
    readonlyRootfs: true,
    noNewPrivs: true,
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    seccomp: { profileType: cri.SecurityProfile_ProfileType.Unconfined },
    apparmor: { profileType: cri.SecurityProfile_ProfileType.Localhost, localhostRef: 'profile' },
  });
});

test('a user by number wins over one by name', () => {
  const securityContext = { ...container.securityContext, runAsUser: 0 };
  const { linux } = encodeContainerConfig({ ...container, securityContext });
  expect(linux?.securityContext).toMatchObject({ runAsUser: { value: 0n }, runAsUsername: '' });
});

test('filters carry what they filter by', () => {
  expect(encodeSandboxFilter(undefined)).toBeUndefined();
  expect(encodeSandboxFilter({ state: 'SANDBOX_READY', labels: { a: 'b' } })).toEqual({
    id: '',
    state: { state: cri.PodSandboxState.SANDBOX_READY },
    labelSelector: { a: 'b' },
  });
  expect(encodeContainerFilter({ id: 'x', podSandboxId: 'y', state: 'CONTAINER_EXITED' })).toEqual({
    id: 'x',
    podSandboxId: 'y',
    state: { state: cri.ContainerState.CONTAINER_EXITED },
    labelSelector: {},
  });
});

describe('signals', () => {
  const names = Object.keys(cri.Signal).filter((name) => name !== 'RUNTIME_DEFAULT');
  test.each(names)('%s has a name that leads back to it', (name) => {
    const signal = (cri.Signal as Record<string, cri.Signal>)[name]!;
    expect(encodeSignal(decodeSignal(signal))).toBe(signal);
  });

  test.each([
    ['SIGTERM', cri.Signal.SIGTERM],
    ['SIGRTMIN+15', cri.Signal.SIGRTMINPLUS15],
    ['SIGRTMAX-14', cri.Signal.SIGRTMAXMINUS14],
    [undefined, cri.Signal.RUNTIME_DEFAULT],
  ])('%s is sent as %i', (name, signal) => expect(encodeSignal(name)).toBe(signal));

  test.each(['TERM', 'SIGNONE', '', 'toString', 'RUNTIME_DEFAULT'])('%j is not a signal', (name) => {
    expect(() => encodeSignal(name)).toThrow(/not a signal/);
  });
});

test('a time limit is never shortened to whole seconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000 }), (ms) => {
      const seconds = Number(ceilSeconds(ms));
      expect(seconds * 1000).toBeGreaterThanOrEqual(ms);
      expect(seconds * 1000 - ms).toBeLessThan(1000);
    }),
  );
});

test('resources come back from the wire as they were sent', () => {
  const positive = fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined });
  const resources = fc.record({
    cpuPeriodUs: positive,
    cpuQuotaUs: positive,
    cpuShares: positive,
    memoryLimitBytes: positive,
    memorySwapLimitBytes: positive,
    oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
    cpusetCpus: fc.constantFrom(undefined, '0', '0-3,7'),
    cpusetMems: fc.constantFrom(undefined, '0'),
    hugepageLimits: fc.array(fc.record({ pageSize: fc.constant('2MB'), limitBytes: fc.nat() })),
    unified: fc.dictionary(fc.constantFrom('memory.min', 'cpu.weight'), fc.string()),
  });
  fc.assert(
    fc.property(resources, (sent) => {
      const linux = overTheWire(cri.LinuxContainerResources, encodeResources(sent));
      const status = partial(cri.ContainerStatus, { id: 'c', resources: { linux } });
      expect(decodeContainerStatus(status, 's').resources).toEqual(sent);
    }),
  );
});

test('nanoseconds become milliseconds, exactly, past 2^53', () => {
  const nanoseconds = 1_795_346_041_656_999_999n;
  const status = overTheWire(
    cri.ContainerStatus,
    partial(cri.ContainerStatus, { createdAt: nanoseconds, startedAt: nanoseconds, exitCode: -1 }),
  );
  expect(decodeContainerStatus(status, 's')).toMatchObject({
    podSandboxId: 's',
    createdAtMs: 1_795_346_041_656,
    startedAtMs: 1_795_346_041_656,
    finishedAtMs: 0,
    exitCode: -1,
  });
});

test('a container does not end before it started', () => {
  const status = partial(cri.ContainerStatus, { startedAt: 9_000_000n, finishedAt: 8_000_000n });
  expect(decodeContainerStatus(status, 's')).toMatchObject({ startedAtMs: 8, finishedAtMs: 8 });
});

test('a status without the newer fields is complete', () => {
  const status = partial(cri.ContainerStatus, { imageRef: 'sha256:1' });
  expect(decodeContainerStatus(status, 's')).toMatchObject({
    imageId: 'sha256:1',
    metadata: { name: '', attempt: 0 },
    resources: undefined,
    user: undefined,
    stopSignal: undefined,
  });
});

test('the addresses of a sandbox are the primary one and the others', () => {
  const status = partial(cri.PodSandboxStatus, {
    network: { ip: '192.0.2.1', additionalIps: [{ ip: '2001:db8::1' }] },
    linux: {
      namespaces: partial(cri.Namespace, {
        options: partial(cri.NamespaceOption, { network: cri.NamespaceMode.NODE }),
      }),
    },
  });
  expect(decodeSandboxStatus(status)).toMatchObject({
    ips: ['192.0.2.1', '2001:db8::1'],
    namespaceOptions: { network: 'NODE', pid: 'POD', ipc: 'POD' },
  });
  expect(decodeSandboxStatus(partial(cri.PodSandboxStatus, {})).ips).toEqual([]);
});

test('counters keep every bit; what the runtime does not tell is undefined, not 0', () => {
  const stats = partial(cri.ContainerStats, {
    attributes: { id: 'c', metadata: undefined, labels: { a: 'b' } },
    cpu: partial(cri.CpuUsage, {
      timestamp: 5_000_000n,
      usageCoreNanoSeconds: { value: 2n ** 63n + 1n },
    }),
    memory: partial(cri.MemoryUsage, { workingSetBytes: { value: 0n } }),
  });
  expect(decodeStats(overTheWire(cri.ContainerStats, stats))).toMatchObject({
    id: 'c',
    labels: { a: 'b' },
    timestampMs: 5,
    cpuUsageCoreNanoSeconds: 2n ** 63n + 1n,
    cpuUsageNanoCores: undefined,
    memoryWorkingSetBytes: 0,
    memoryRssBytes: undefined,
    rootfsUsedBytes: undefined,
  });
});

test("an image's user is a number, a name, or not said", () => {
  expect(decodeImage(partial(cri.Image, { uid: { value: 0n } }))).toMatchObject({
    uid: 0,
    username: undefined,
  });
  expect(decodeImage(partial(cri.Image, { username: 'ros' }))).toMatchObject({
    uid: undefined,
    username: 'ros',
  });
});
