import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Container, Pod, PodSpec, VolumeMount } from '../../api/core.gen.ts';
import { createMetrics } from '../../metrics/metrics.ts';
import { agentPaths } from '../../paths.ts';
import type { ObjectReader } from '../../sources/source.ts';
import { volumeManager } from '../../volumes/manager.ts';
import {
  type ContainerContext,
  type ContainerInput,
  containerConfig,
  containerHash,
} from './container-config.ts';
import { podSandboxConfig } from './sandbox-config.ts';

let root: string;
let context: ContainerContext;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'roslet-container-config-'));
  const paths = agentPaths(root);
  const objects: ObjectReader = {
    configMap: async () => undefined,
    secret: async () => undefined,
    onObjectChange: () => () => {},
  };
  context = {
    paths,
    objects,
    volumes: volumeManager({
      podsDir: paths.podsDir,
      objects,
      allocatable: () => ({}),
      metrics: createMetrics(),
    }),
    node: () => ({ nodeName: 'robot', hostIps: ['10.0.0.1'], allocatable: {} }),
    clusterDomain: 'example.org',
    hasRosBridge: true,
    seccompRoot: join(root, 'seccomp'),
    seccompDefault: false,
  };
});
afterEach(() => rm(root, { recursive: true }));

const configOf = async (
  container: Omit<Container, 'name'>,
  spec: Partial<PodSpec> = {},
  more: Partial<ContainerInput> = {},
) => {
  const asked = { name: 'c', image: 'camera:1', ...container };
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'u' },
    spec: { containers: [asked], ...spec },
  };
  const { config: sandboxConfig } = podSandboxConfig(pod, {
    attempt: 0,
    paths: context.paths,
    cgroupParent: '/kubepods/podu',
    dns: { host: { servers: [], searches: [], options: [] }, clusterDns: [], clusterDomain: 'example.org' },
  });
  const input: ContainerInput = {
    pod,
    container: asked,
    restartCount: 2,
    sandboxConfig,
    imageRef: 'sha256:abc',
    image: {},
    runtimeHandler: { name: '', recursiveReadOnlyMounts: false, userNamespaces: false },
    podIps: [],
    resources: { cpuShares: 2 },
    ...more,
  };
  return (await containerConfig(context, input, new AbortController().signal)).config;
};

test('a container is named, labelled and logged so that it is found again', async () => {
  const config = await configOf(
    { terminationMessagePolicy: 'FallbackToLogsOnError' },
    { terminationGracePeriodSeconds: 7 },
  );
  expect(config).toMatchObject({
    metadata: { name: 'c', attempt: 2 },
    image: 'sha256:abc',
    userSpecifiedImage: 'camera:1',
    logPath: 'c/2.log',
    labels: {
      'io.kubernetes.pod.name': 'p',
      'io.kubernetes.pod.namespace': 'ns',
      'io.kubernetes.pod.uid': 'u',
      'io.kubernetes.container.name': 'c',
    },
    annotations: {
      'io.kubernetes.container.hash': containerHash({ name: 'c', image: 'camera:1' }),
      'io.kubernetes.container.restartCount': '2',
      'io.kubernetes.container.terminationMessagePolicy': 'FallbackToLogsOnError',
      'io.kubernetes.pod.terminationGracePeriod': '7',
    },
    resources: { cpuShares: 2 },
  });
  expect((await stat(join(root, 'log', 'pods', 'ns_p_u', 'c'))).isDirectory()).toBe(true);
});

test('command and args are expanded with the environment, in each word', async () => {
  const config = await configOf({
    command: ['/bin/$(NAME)', '$$(NAME)', '$(MISSING)'],
    args: ['--ip=$(IP)'],
    env: [
      { name: 'NAME', value: 'driver' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    ],
    workingDir: '/srv',
    stdin: true,
    tty: true,
    lifecycle: { stopSignal: 'SIGINT' },
  });
  expect(config).toMatchObject({
    command: ['/bin/driver', '$(NAME)', '$(MISSING)'],
    args: ['--ip=10.0.0.1'],
    envs: [
      { key: 'NAME', value: 'driver' },
      { key: 'IP', value: '10.0.0.1' },
    ],
    workingDir: '/srv',
    stdin: true,
    stdinOnce: false,
    tty: true,
    stopSignal: 'SIGINT',
  });
});

describe('a termination message', () => {
  const messagesDir = () => join(root, 'pods', 'u', 'containers', 'c');

  test('has a file that any user can write, told by an annotation', async () => {
    const umask = process.umask(0o077);
    const config = await configOf({ terminationMessagePath: '/dev/termination-log' });
    process.umask(umask);
    const path = join(messagesDir(), '2');
    expect(config.mounts).toContainEqual(
      expect.objectContaining({ containerPath: '/dev/termination-log', hostPath: path, readonly: false }),
    );
    expect(config.annotations['roslet.dev/termination-message-host-path']).toBe(path);
    expect((await stat(path)).mode & 0o777).toBe(0o666);
  });

  test('of an earlier instance is neither shown to a later one nor kept for ever', async () => {
    const container = { terminationMessagePath: '/dev/termination-log' };
    await configOf(container);
    await writeFile(join(messagesDir(), '2'), 'last words');
    await configOf(container);
    expect(await readFile(join(messagesDir(), '2'), 'utf8')).toBe('');
    for (const restartCount of [3, 4, 5]) await configOf(container, {}, { restartCount });
    expect((await readdir(messagesDir())).sort()).toEqual(['3', '4', '5']);
  });
});

describe('/etc/hosts', () => {
  const hostsOf = async (...args: Parameters<typeof configOf>) =>
    (await configOf(...args)).mounts.filter(({ containerPath }) => containerPath === '/etc/hosts');

  test('is the one of the pod, once it has an address', async () => {
    expect(await hostsOf({})).toEqual([]);
    const [mount] = await hostsOf({}, {}, { podIps: ['10.1.0.2'] });
    expect(mount?.hostPath).toBe(join(root, 'pods', 'u', 'etc-hosts'));
    expect(await readFile(mount!.hostPath, 'utf8')).toContain('10.1.0.2\tp\n');
  });

  test("is a copy of the host's on its network", async () => {
    const [mount] = await hostsOf({}, { hostNetwork: true });
    expect(await readFile(mount!.hostPath, 'utf8')).toContain(await readFile('/etc/hosts', 'utf8'));
  });

  test('is the one of the host for host processes, unless the pod adds names', async () => {
    expect(await hostsOf({}, { hostNetwork: true }, { image: null })).toEqual([]);
    const hostAliases = [{ ip: '1.2.3.4', hostnames: ['base'] }];
    expect(await hostsOf({}, { hostNetwork: true, hostAliases }, { image: null })).toHaveLength(1);
  });

  test('is left to a container that brings its own', async () => {
    const own = { volumeMounts: [{ name: 'v', mountPath: '/etc/hosts' }] };
    const volumes = [{ name: 'v', hostPath: { path: '/etc/hosts' } }];
    expect(await hostsOf(own, { volumes }, { podIps: ['10.1.0.2'] })).toMatchObject([
      { hostPath: '/etc/hosts' },
    ]);
  });
});

describe('a volume mount', () => {
  const volumes = [
    { name: 'host', hostPath: { path: '/srv/maps' } },
    { name: 'scratch', emptyDir: {} },
    { name: 'settings', configMap: { name: 'x' } },
  ];
  const mountOf = async (mount: Omit<VolumeMount, 'mountPath'>, more: Partial<ContainerInput> = {}) =>
    (
      await configOf(
        { volumeMounts: [{ mountPath: '/v', ...mount }], env: [{ name: 'N', value: 'n' }] },
        { volumes },
        more,
      )
    ).mounts[0];

  test.each<[Omit<VolumeMount, 'mountPath'>, object]>([
    [
      { name: 'host' },
      { containerPath: '/v', hostPath: '/srv/maps', readonly: false, selinuxRelabel: false },
    ],
    [
      { name: 'host', readOnly: true },
      { readonly: true, recursiveReadOnly: false },
    ],
    [{ name: 'scratch' }, { readonly: false, selinuxRelabel: true, propagation: 'PRIVATE' }],
    [
      { name: 'settings', readOnly: false },
      { readonly: true, selinuxRelabel: true },
    ],
    [{ name: 'host', mountPropagation: 'None' }, { propagation: 'PRIVATE' }],
    [{ name: 'host', mountPropagation: 'HostToContainer' }, { propagation: 'HOST_TO_CONTAINER' }],
    [{ name: 'host', mountPropagation: 'Bidirectional' }, { propagation: 'BIDIRECTIONAL' }],
    [{ name: 'host', readOnly: true, recursiveReadOnly: 'IfPossible' }, { recursiveReadOnly: false }],
  ])('%j is %j', async (mount, expected) => {
    expect(await mountOf(mount)).toMatchObject(expected);
  });

  test.each(['IfPossible', 'Enabled'])(
    'is recursively read-only with %s where the runtime can',
    async (mode) => {
      const runtimeHandler = { name: 'runc', recursiveReadOnlyMounts: true, userNamespaces: false };
      const mount = { name: 'host', readOnly: true, recursiveReadOnly: mode };
      expect(await mountOf(mount, { runtimeHandler })).toMatchObject({ recursiveReadOnly: true });
    },
  );

  test.each<[Omit<VolumeMount, 'mountPath'>, string]>([
    [{ name: 'none' }, 'cannot find volume "none" to mount into container "c"'],
    [{ name: 'host', subPath: '/etc' }, 'error SubPath `/etc` must not be an absolute path'],
    [{ name: 'host', subPath: 'a/../b' }, "unable to provision SubPath `a/../b`: must not contain '..'"],
    [{ name: 'host', subPathExpr: '$(N)/$(NOT)' }, 'missing value for "NOT"'],
    [{ name: 'host', subPathExpr: '$(N)/..' }, "unable to provision SubPath `n/..`: must not contain '..'"],
    [{ name: 'host', subPath: 'a' }, 'failed to prepare subPath for volumeMount "host" of container "c": '],
    [
      { name: 'host', recursiveReadOnly: 'Enabled' },
      'failed to resolve recursive read-only mode: volume "host" requested recursive read-only mode, ' +
        'but it is not supported by the runtime',
    ],
    [{ name: 'host', mountPropagation: 'Shared' }, 'invalid MountPropagation mode: "Shared"'],
  ])('%j is refused', async (mount, message) => {
    await expect(mountOf(mount)).rejects.toMatchObject({
      reason: 'CreateContainerConfigError',
      message: expect.stringContaining(message),
    });
  });
});

test('a block device is refused by name', async () => {
  await expect(configOf({ volumeDevices: [{ name: 'disk', devicePath: '/dev/xvda' }] })).rejects.toThrow(
    'cannot find volume "disk" to pass into container "c"',
  );
});

test('a container that must not be root is refused before anything is made for it', async () => {
  const container = {
    securityContext: { runAsNonRoot: true },
    terminationMessagePath: '/dev/termination-log',
  };
  await expect(configOf(container)).rejects.toThrow('container has runAsNonRoot and image will run as root');
  expect(await readdir(root)).toEqual([]);
});

test('only the image of a running container asks for a new one', () => {
  const container = { name: 'c', image: 'camera:1', env: [{ name: 'A', value: '1' }] };
  const hash = containerHash(container);
  expect(containerHash({ ...container, env: [], resources: { limits: { cpu: '1' } } })).toBe(hash);
  expect(containerHash({ ...container, image: 'camera:2' })).not.toBe(hash);
  expect(containerHash({ ...container, name: 'd' })).not.toBe(hash);
});
