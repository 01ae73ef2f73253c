import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runHelp } from './help.ts';
import { loadConfig } from './load.ts';

const load = (...flags: string[]) => loadConfig(['--hostname-override=robot', ...flags]);

describe('flags', () => {
  test("are read as the kubelet's", async () => {
    const { config, warnings } = await load(
      '--max-pods=5',
      '--pod-max-pids',
      '100',
      '--file_check_frequency=1m',
      '--root-dir',
      'relative',
      '--cgroup-root=/robot',
      '--pod-manifest-path=/m',
      '--node-ip',
      '10.0.0.1,fd00::1',
      '--node-labels=a=b,c=',
      '--node-labels=d=e',
      '--cluster-dns=10.0.0.2',
      '--cluster-dns=10.0.0.3',
      '--system-reserved=cpu=200m,memory=1Gi',
      '--eviction-hard=memory.available<200Mi,nodefs.available<5%',
      '--eviction-minimum-reclaim=memory.available=1Gi',
      '--eviction-soft=pid.available<10%',
      '--eviction-soft-grace-period=pid.available=1m',
      '--seccomp-default',
      '--cpu-cfs-quota=false',
      '-v',
      '4',
      '--logging-format=json',
    );
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      nodeName: 'robot',
      maxPods: 5,
      podPidsLimit: 100,
      fileCheckFrequencyMs: 60_000,
      rootDir: resolve('relative'),
      cgroupRoot: '/robot',
      staticPodPath: '/m',
      nodeIps: ['10.0.0.1', 'fd00::1'],
      nodeLabels: { a: 'b', c: '', d: 'e' },
      clusterDns: ['10.0.0.2', '10.0.0.3'],
      reservations: { systemReserved: { cpu: '200m', memory: '1Gi' } },
      seccompDefault: true,
      cpuCfsQuota: false,
      log: { format: 'json', level: 'debug' },
    });
    expect(config.eviction.thresholds).toEqual([
      {
        signal: 'memory.available',
        value: { amount: 200 * 2 ** 20 },
        graceMs: 0,
        minReclaim: { amount: 2 ** 30 },
      },
      { signal: 'nodefs.available', value: { fraction: 0.05 }, graceMs: 0, minReclaim: { amount: 0 } },
      { signal: 'pid.available', value: { fraction: 0.1 }, graceMs: 60_000, minReclaim: { amount: 0 } },
    ]);
  });

  test('win over files, mappings as a whole', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roslet-flags-'));
    const path = join(dir, 'config.yaml');
    const text =
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 1\nkubeReserved: {cpu: 1, memory: 1Gi}\n';
    await writeFile(path, text);
    const { config } = await load('--max-pods=2', '--config', path, '--kube-reserved=cpu=2');
    expect(config).toMatchObject({ maxPods: 2, reservations: { kubeReserved: { cpu: '2' } } });
    await rm(dir, { recursive: true });
  });

  test.each<[string[], string]>([
    [['--max-podz', '3'], '--max-podz: is no known flag; did you mean --max-pods?'],
    [['--xyzzy'], '--xyzzy: is no known flag; see roslet run --help'],
    [['start'], "'start' is no flag; roslet run takes only flags"],
    [['--max-pods'], '--max-pods: needs a value'],
    [['--max-pods=many'], '--max-pods: must be a whole number, not the string "many"'],
    [['--max-pods=-1'], '--max-pods: must be at least 0, not -1'],
    [['--seccomp-default=maybe'], '--seccomp-default: must be true or false, not the string "maybe"'],
    [['--system-reserved=cpu'], "--system-reserved: 'cpu' has no '=' between name and value"],
    [['--sync-frequency=10'], '--sync-frequency: must be a duration such as 1m30s, not the string "10"'],
    [['--node-ip=robot'], "--node-ip: 'robot' is no IP address"],
    [
      ['--bootstrap-kubeconfig=/etc/kubeconfig'],
      '--bootstrap-kubeconfig: needs --kubeconfig beside it: the path of the kubeconfig to write',
    ],
    [
      ['--cloud-provider=aws'],
      "--cloud-provider: must be external, not 'aws': cloud providers are not built in",
    ],
    [
      ['--register-with-taints=a=b'],
      "--register-with-taints: 'a=b' is no taint such as key=value:NoSchedule",
    ],
    [
      ['--register-with-taints=a:Never'],
      "--register-with-taints: must be one of NoSchedule, PreferNoSchedule, NoExecute, not 'Never'",
    ],
    [
      ['--image-gc-low-threshold=90'],
      '--image-gc-low-threshold: imageGCLowThresholdPercent must be less than imageGCHighThresholdPercent (85), not 90',
    ],
  ])('%j are refused', async (flags, message) => {
    await expect(load(...flags)).rejects.toThrow(message);
  });

  test('that are known but not followed are warned of, whatever they take', async () => {
    const { warnings } = await load(
      '--maximum-dead-containers=1',
      '--feature-gates=A=true,B=false',
      '--reserved-memory=0:memory=1Gi',
      '--manifest-url-header=A:b',
      '--kubeconfig=',
    );
    const named = warnings.map((warning) => /^.*?(?= is known)/.exec(warning)?.[0]);
    expect(named.sort()).toEqual([
      '--feature-gates: featureGates',
      '--manifest-url-header: staticPodURLHeader',
      '--reserved-memory: reservedMemory',
      'the flag --maximum-dead-containers',
    ]);
  });

  test('that have an effect are all in the help', () => {
    const lines = runHelp().split('\n');
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}--root-dir +where the agent keeps everything/));
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}--max-pods NUMBER +maxPods; default 110$/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^ {2}--sync-frequency DURATION +syncFrequency; default 1m0s$/),
    );
  });
});
