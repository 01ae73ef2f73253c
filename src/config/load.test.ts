import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kubeletFields } from './kubelet-fields.ts';
import { laterFields, mootFields } from './later-fields.ts';
import { loadConfig } from './load.ts';
import { ConfigError } from './problems.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-config-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

const kubelet = (body: string) =>
  `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${body}\n`;
const roslet = (body: string) => `apiVersion: roslet.dev/v1alpha1\nkind: RosletConfiguration\n${body}\n`;

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

/** Loads a configuration file with these texts as its documents. */
async function load(documents: string | string[], ...flags: string[]) {
  const text = [documents].flat().join('---\n');
  return loadConfig(['--hostname-override=robot', '--config', await file('config.yaml', text), ...flags]);
}

/** What is wrong, without the directory of the test. */
async function problems(loading: Promise<unknown>): Promise<string[]> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message.replaceAll(`${dir}/`, '').split('\n');
}

describe('defaults', () => {
  test("are the kubelet's, but that everything written is below the root directory", async () => {
    const { config, warnings } = await loadConfig(['--hostname-override', 'robot']);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      nodeName: 'robot',
      rootDir: '/var/lib/roslet',
      podLogsDir: undefined,
      staticPodPath: undefined,
      fileCheckFrequencyMs: 20_000,
      healthzBindAddress: '127.0.0.1',
      healthzPort: 10248,
      maxPods: 110,
      podPidsLimit: undefined,
      cgroupRoot: '/roslet',
      enforceNodeAllocatable: ['pods'],
      maxParallelImagePulls: 1,
      containerLogMaxSizeBytes: 10 * 2 ** 20,
      maxContainerRestartPeriodMs: 300_000,
      runtime: 'auto',
      socketGroup: 'roslet',
      log: { format: 'auto', level: 'info' },
    });
    const found = config.eviction.thresholds.map(({ signal, value }) => [signal, value]);
    expect(found).toEqual([
      ['memory.available', { amount: 100 * 2 ** 20 }],
      ['nodefs.available', { fraction: 0.1 }],
      ['nodefs.inodesFree', { fraction: 0.05 }],
      ['imagefs.available', { fraction: 0.15 }],
      ['imagefs.inodesFree', { fraction: 0.05 }],
    ]);
  });

  test('hold where a field is null or has the zero value of the Go type', async () => {
    const { config, warnings } = await load(
      kubelet(
        'syncFrequency: 0s\nport: 0\nmaxPods: null\ncrashLoopBackOff:\nrotateCertificates: false\nfeatureGates: {}',
      ),
    );
    expect(config).toMatchObject({ maxPods: 110, syncFrequencyMs: 60_000 });
    expect(warnings).toEqual([]);
  });

  test('do not hold where zero is meant', async () => {
    const { config } = await load(
      kubelet('healthzPort: 0\nregistryPullQPS: 0\nenforceNodeAllocatable: []\nevictionHard: {}'),
    );
    expect(config).toMatchObject({ healthzPort: 0, registryPullQps: 0, enforceNodeAllocatable: [] });
    expect(config.eviction.thresholds).toEqual([]);
  });

  test('holds cgroups to what is reserved where that is to be enforced', async () => {
    const { config } = await load(
      kubelet(
        `enforceNodeAllocatable: [pods, system-reserved, kube-reserved-compressible]
systemReservedCgroup: /system
systemReserved: {cpu: 500m, memory: 1Gi}
kubeReservedCgroup: /kube
kubeReserved: {cpu: "1", memory: 2Gi}`,
      ),
    );
    expect(config.reservedCgroups).toEqual([
      { name: '/system', amounts: { cpu: 500, memory: 2 ** 30 } },
      { name: '/kube', amounts: { cpu: 1000 } },
    ]);
  });
});

describe('files', () => {
  test('hold both documents, in YAML or JSON, and paths from where they are', async () => {
    const { config } = await load([
      kubelet(
        'staticPodPath: manifests\nresolvConf: /run/resolv.conf\nmaxPods: 5\nevictionHard: {memory.available: 5%}',
      ),
      JSON.stringify({
        apiVersion: 'roslet.dev/v1alpha1',
        kind: 'RosletConfiguration',
        nodeName: 'unused',
        runtime: { default: 'process' },
      }),
    ]);
    expect(config).toMatchObject({
      staticPodPath: join(dir, 'manifests'),
      resolvConf: '/run/resolv.conf',
      maxPods: 5,
      runtime: 'process',
    });
    expect(config.eviction.thresholds).toMatchObject([
      { signal: 'memory.available', value: { fraction: 0.05 } },
    ]);
  });

  test('of the drop-in directory are merged in the order of their names; only *.conf counts', async () => {
    await file('drop/20-b/1.conf', kubelet('maxPods: 3'));
    await file(
      'drop/10-a.conf',
      kubelet('maxPods: 2\nsystemReserved: {memory: 2Gi, pid: "9"}\nclusterDNS: [10.0.0.2]'),
    );
    await file('drop/30.yaml', kubelet('maxPods: 4'));
    await file('drop/40.conf', roslet('socketGroup: robots'));
    await file('drop/50.conf', kubelet('containerLogMaxFiles: null'));
    const { config } = await load(
      kubelet(
        'maxPods: 1\nsystemReserved: {cpu: 1, memory: 1Gi}\nclusterDNS: [10.0.0.1]\ncontainerLogMaxFiles: 9',
      ),
      '--config-dir',
      join(dir, 'drop'),
    );
    expect(config).toMatchObject({
      maxPods: 3,
      reservations: { systemReserved: { cpu: '1', memory: '2Gi', pid: '9' } },
      clusterDns: ['10.0.0.2'],
      containerLogMaxFiles: 5,
      socketGroup: 'robots',
    });
  });

  test('that cannot be read are told', async () => {
    expect(
      await problems(loadConfig(['--config', join(dir, 'none.yaml'), '--config-dir', join(dir, 'none')])),
    ).toEqual([
      expect.stringMatching(/^--config-dir: cannot be read: ENOENT/),
      expect.stringMatching(/^none\.yaml: cannot be read: ENOENT/),
    ]);
  });

  test('are strict: every problem is told at once, with its place and the nearest known name', async () => {
    const text = kubelet(`synFrequency: 10s
crashLoopBackoff:
  maxContainerRestartPeriod: 20s
maxContainerRestartPeriod: 3s
healthzPort: "10248"
maxPods: 1.5
fileCheckFrequency: 10
containerLogMaxFiles: 1
cgroupDriver: sytemd
systemReserved:
  memory: lots
evictionHard: [memory]
crashLoopBackOff: {maxContainerRestartPeriod: 301s, initial: 1s}
authentication: {anonymous: {enable: false}}
syncFrequency: -1s
clusterDNS: [1, 10.0.0.1]`);
    expect(await problems(load([text, roslet('runtime: {default: docker}\nsocketGroup: [a]')]))).toEqual([
      'config.yaml:3:1: synFrequency is not a known field; did you mean syncFrequency?',
      'config.yaml:4:1: crashLoopBackoff is not a known field; did you mean crashLoopBackOff?',
      'config.yaml:6:1: maxContainerRestartPeriod is not a known field; did you mean crashLoopBackOff.maxContainerRestartPeriod?',
      'config.yaml:7:14: healthzPort must be a whole number, not the string "10248"',
      'config.yaml:8:10: maxPods must be a whole number, not the number 1.5',
      'config.yaml:9:21: fileCheckFrequency must be a duration such as 1m30s, not the number 10',
      'config.yaml:10:23: containerLogMaxFiles must be at least 2, not 1',
      "config.yaml:11:15: cgroupDriver must be one of cgroupfs, systemd, not 'sytemd'",
      'config.yaml:13:11: systemReserved[memory] must be a quantity such as 10Mi, not the string "lots"',
      'config.yaml:14:15: evictionHard must be a mapping of signals to quantities or percentages such as 100Mi or 10%, not a list',
      'config.yaml:15:47: crashLoopBackOff.maxContainerRestartPeriod must be 1s to 5m0s, not 5m1s',
      'config.yaml:15:53: crashLoopBackOff.initial is not a known field',
      'config.yaml:16:30: authentication.anonymous.enable is not a known field; did you mean enabled?',
      'config.yaml:17:16: syncFrequency must not be negative',
      'config.yaml:18:14: clusterDNS[0] must be a string, not the number 1',
      "config.yaml:22:20: runtime.default must be one of auto, process, cri, not 'docker'",
      'config.yaml:23:14: socketGroup must be a string, not a list',
    ]);
  });

  test('must say what they are', async () => {
    const documents = [
      'kind: Pod\napiVersion: v1\n',
      'maxPods: 1\n',
      'kind: KubeletConfiguration\napiVersion: v1\n',
      'a: [\n',
    ];
    expect(await problems(load(documents))).toEqual([
      'config.yaml:1:7: kind must be KubeletConfiguration or RosletConfiguration',
      'config.yaml:4:1: kind must be KubeletConfiguration or RosletConfiguration',
      'config.yaml:7:13: apiVersion of a KubeletConfiguration must be kubelet.config.k8s.io/v1beta1',
      expect.stringMatching(/^config\.yaml:\d+:\d+: YAML syntax/),
    ]);
  });

  test('may hold fields that are not followed yet; each is warned of by name, once', async () => {
    const { warnings } = await load(
      kubelet(
        'failSwapOn: false\ntracing: {endpoint: x}\nqosReserved: {memory: 50%}\ntopologyManagerScope: pod',
      ),
    );
    expect(warnings.map((warning) => warning.replace(`${dir}/`, '')).sort()).toEqual([
      'config.yaml:4:11: tracing.endpoint is known but not implemented yet; it has no effect',
      'config.yaml:5:1: qosReserved is known but not implemented yet; it has no effect',
      'config.yaml:6:1: topologyManagerScope is known but not implemented yet; it has no effect',
    ]);
  });

  test('that kubeadm writes are taken', async () => {
    const { config, warnings } = await load(
      kubelet(`authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 0s, enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization:
  mode: Webhook
  webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}
cgroupDriver: cgroupfs
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
imageMaximumGCAge: 0s
logging:
  flushFrequency: 0
  options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}
  verbosity: 0
memorySwap: {}
rotateCertificates: true
shutdownGracePeriod: 0s
staticPodPath: /etc/kubernetes/manifests
syncFrequency: 0s`),
    );
    expect(config).toMatchObject({
      clusterDomain: 'cluster.local',
      containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
      fileCheckFrequencyMs: 20_000,
      staticPodPath: '/etc/kubernetes/manifests',
    });
    expect(warnings).toEqual([]);
  });

  test('and flags know every field of the type once', () => {
    const names = [kubeletFields, laterFields, mootFields].flatMap((table) => Object.keys(table));
    expect(new Set(names).size).toBe(names.length);
    // Of kubelet.config.k8s.io/v1beta1 in Kubernetes 1.36, beside kind and apiVersion.
    expect(new Set(names.map((name) => name.split('.')[0])).size).toBe(125);
  });
});

describe('the runtime of pods that name none', () => {
  const endpoint = 'containerRuntimeEndpoint: unix:///run/none.sock';
  test.each([
    ['is looked for', kubelet('maxPods: 1'), 'auto'],
    ['is the engine that is named, also before that is up', kubelet(endpoint), 'cri'],
    ['is another where that is said', [kubelet(endpoint), roslet('runtime: {default: process}')], 'process'],
    ['is looked for where nothing is named', kubelet('containerRuntimeEndpoint: ""'), 'auto'],
  ])('%s', async (_, documents, runtime) => {
    expect((await load(documents)).config.runtime).toBe(runtime);
  });

  test.each([
    ['is an engine in a cluster, also before that is up', kubelet('maxPods: 1'), 'cri'],
    ['is another in a cluster where that is said', roslet('runtime: {default: process}'), 'process'],
  ])('%s', async (_, documents, runtime) => {
    expect((await load(documents, '--kubeconfig', '/none')).config.runtime).toBe(runtime);
  });
});

describe('fields that belong together', () => {
  test.each<[string, string]>([
    [
      'imageGCLowThresholdPercent: 90',
      'imageGCLowThresholdPercent must be less than imageGCHighThresholdPercent (85), not 90',
    ],
    [
      'port: 10250\nauthentication: {webhook: {enabled: false}}',
      'authorization.mode must be AlwaysAllow for the port that is set: there is no API server to ask without --kubeconfig',
    ],
    [
      'port: 10250\nauthorization: {mode: AlwaysAllow}',
      'authentication.webhook.enabled must be false for the port that is set: there is no API server to ask without --kubeconfig',
    ],
    [
      'serverTLSBootstrap: true',
      'serverTLSBootstrap needs --kubeconfig: there is nobody to ask for a certificate',
    ],
    ['address: localhost', "address must be an IP address, not 'localhost'"],
    ['tlsCertFile: /a', 'tlsCertFile needs tlsPrivateKeyFile beside it'],
    ['tlsPrivateKeyFile: /a', 'tlsPrivateKeyFile needs tlsCertFile beside it'],
    ['imageMaximumGCAge: 1m', 'imageMaximumGCAge must be more than imageMinimumGCAge, or 0'],
    [
      'serializeImagePulls: true\nmaxParallelImagePulls: 2',
      'maxParallelImagePulls must not be more than 1 unless serializeImagePulls is false',
    ],
    [
      'enforceNodeAllocatable: [pods, podz]',
      "enforceNodeAllocatable has the unknown value 'podz'; known are none, pods, system-reserved, system-reserved-compressible, kube-reserved, kube-reserved-compressible",
    ],
    ['enforceNodeAllocatable: [pods, pods]', "enforceNodeAllocatable has 'pods' twice"],
    ['enforceNodeAllocatable: [none, pods]', "enforceNodeAllocatable must hold nothing else beside 'none'"],
    [
      'enforceNodeAllocatable: [pods]\ncgroupsPerQOS: false',
      "enforceNodeAllocatable 'pods' needs cgroupsPerQOS: true",
    ],
    [
      'enforceNodeAllocatable: [kube-reserved]',
      "enforceNodeAllocatable 'kube-reserved' needs kubeReservedCgroup",
    ],
    [
      'enforceNodeAllocatable: [system-reserved]\nsystemReservedCgroup: /',
      "enforceNodeAllocatable 'system-reserved' needs systemReservedCgroup",
    ],
    [
      'enforceNodeAllocatable: [kube-reserved]\nkubeReservedCgroup: /kube',
      "enforceNodeAllocatable 'kube-reserved' needs kubeReserved",
    ],
    [
      'enforceNodeAllocatable: [kube-reserved, kube-reserved-compressible]\nkubeReservedCgroup: /kube\nkubeReserved: {cpu: 1}',
      "enforceNodeAllocatable must not hold both 'kube-reserved' and 'kube-reserved-compressible'",
    ],
    [
      'systemReserved: {gpu: 1}',
      "systemReserved cannot reserve 'gpu', only cpu, memory, ephemeral-storage, pid",
    ],
    ['kubeReserved: {cpu: -1}', 'kubeReserved must not be negative, as cpu is'],
    [
      'evictionHard: {memory.free: 1Gi}',
      "evictionHard has the unknown signal 'memory.free'; known are memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree, pid.available",
    ],
    [
      'evictionHard: {memory.available: "0"}',
      'evictionHard of memory.available must be more than 0; 0% switches a threshold off',
    ],
    [
      'evictionSoft: {memory.available: 1Gi}',
      'evictionSoft needs a period for memory.available in evictionSoftGracePeriod',
    ],
    ['clusterDNS: [dns.local]', "clusterDNS holds 'dns.local', which is no IP address"],
    ['healthzBindAddress: localhost', "healthzBindAddress must be an IP address, not 'localhost'"],
    ['cgroupRoot: a/b', "cgroupRoot must be an absolute path without '..', such as /robot, not 'a/b'"],
    [
      'cgroupDriver: systemd\ncgroupsPerQOS: false\nenforceNodeAllocatable: [none]',
      'cgroupsPerQOS must be true with cgroupDriver: systemd',
    ],
    ['containerLogMaxSize: 0', 'containerLogMaxSize must not be 0; a negative size switches rotation off'],
  ])('%j is refused', async (body, message) => {
    const [problem, ...others] = await problems(load(kubelet(body)));
    expect(others).toEqual([]);
    expect(problem?.replace(/^(config\.yaml:\d+:\d+: )?/, '')).toBe(message);
  });

  test('merge eviction thresholds with the defaults only when asked to', async () => {
    const signals = async (body: string) => {
      const { config } = await load(kubelet(body));
      return config.eviction.thresholds.map(({ signal }) => signal);
    };
    expect(await signals('evictionHard: {pid.available: 5%}')).toEqual(['pid.available']);
    expect(
      await signals(
        'evictionHard: {pid.available: 5%, nodefs.available: 0%}\nmergeDefaultEvictionSettings: true',
      ),
    ).toEqual([
      'memory.available',
      'nodefs.inodesFree',
      'imagefs.available',
      'imagefs.inodesFree',
      'pid.available',
    ]);
  });

  test.each([
    ['podsPerCore: 3\nmaxPods: 10000', 3 * cpus().length],
    ['podsPerCore: 3\nmaxPods: 2', 2],
    ['podsPerCore: 0\nmaxPods: 7', 7],
  ])('%j allows %i pods', async (body, expected) => {
    expect((await load(kubelet(body))).config.maxPods).toBe(expected);
  });

  test.each<[string, number | undefined]>([
    ['', 1],
    ['maxParallelImagePulls: 1', 1],
    ['maxParallelImagePulls: 4', 4],
    ['serializeImagePulls: false', undefined],
    ['serializeImagePulls: false\nmaxParallelImagePulls: 1', 1],
  ])('%j pulls that many images at once', async (body, expected) => {
    expect((await load(kubelet(body))).config.maxParallelImagePulls).toBe(expected);
  });
});

describe('/configz', () => {
  test('has every field in force in the form of the file, which reads back the same', async () => {
    const first = await load(
      kubelet(
        'maxPods: 7\nsyncFrequency: 90s\nevictionSoft: {memory.available: 1Gi}\nevictionSoftGracePeriod: {memory.available: 1m30s}',
      ),
    );
    expect(first.configz).toMatchObject({
      kind: 'KubeletConfiguration',
      maxPods: 7,
      syncFrequency: '1m30s',
      evictionSoftGracePeriod: { 'memory.available': '1m30s' },
      crashLoopBackOff: { maxContainerRestartPeriod: '5m0s' },
      serializeImagePulls: true,
    });
    const again = await load(JSON.stringify(first.configz));
    expect(again.configz).toEqual(first.configz);
    // All of it, so that the engine is named.
    expect(again.config).toEqual({ ...first.config, runtime: 'cri' });
  });
});

describe('the name of the node', () => {
  test('is the flag, else the configured one', async () => {
    const config = await file('config.yaml', roslet('nodeName: Robot-1'));
    expect((await loadConfig(['--config', config])).config.nodeName).toBe('robot-1');
    expect((await loadConfig(['--config', config, '--hostname-override', 'other'])).config.nodeName).toBe(
      'other',
    );
  });

  test('must be one that Kubernetes takes', async () => {
    expect(await problems(loadConfig(['--hostname-override', 'my_robot']))).toEqual([
      "--hostname-override: 'my_robot' cannot be the node's name: lower case letters, digits, '-' and '.' only, at most 253; set nodeName or --hostname-override",
    ]);
  });
});
