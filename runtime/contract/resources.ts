/** Limits and measurements: cgroups of the pod, memory and its exhaustion, updates, statistics. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Bench, eventually, type Pod } from './harness.ts';

const mebibyte = 1024 * 1024;

export function resourceCases(bench: Bench): void {
  test('a container is below the cgroup of its pod, in every hierarchy', async () => {
    const pod = await bench.pod();
    const { stdout } = await bench.runToEnd(pod, 'main', 'cat /proc/self/cgroup', {
      securityContext: { namespaceOptions: { network: 'NODE', pid: 'NODE', ipc: 'POD' } },
    });
    const paths = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(':').slice(2).join(':'));
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect(path).toMatch(/\/pod[0-9a-f-]+\/|^\/$|^\/\.\./);
  });

  test('memory that is limited and exceeded ends the container as OOMKilled', async () => {
    const { status } = await bench.runToEnd(
      await bench.pod(),
      'main',
      'exec dd if=/dev/zero of=/dev/null bs=200M count=1',
      {
        resources: { memoryLimitBytes: 24 * mebibyte },
      },
    );
    expect(status.reason).toBe('OOMKilled');
    expect(status.exitCode).not.toBe(0);
  });

  test('a child that is killed for memory is told apart from the main process', async () => {
    const script = 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived; exit 0';
    const { status, stdout } = await bench.runToEnd(await bench.pod(), 'main', script, {
      resources: { memoryLimitBytes: 24 * mebibyte },
    });
    expect(stdout).toBe('survived\n');
    expect(status.exitCode).toBe(0);
  });

  test('limits are set and updated while the container runs', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'sleep 100', {
      resources: {
        cpuShares: 512,
        cpuQuotaUs: 50_000,
        cpuPeriodUs: 100_000,
        memoryLimitBytes: 64 * mebibyte,
      },
    });
    expect(limitsOf(pod, id)).toEqual({ memory: 64 * mebibyte, quota: 50_000 });
    await bench.runtime.updateContainerResources(id, {
      cpuQuotaUs: 80_000,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: 96 * mebibyte,
    });
    expect(limitsOf(pod, id)).toEqual({ memory: 96 * mebibyte, quota: 80_000 });
    expect((await bench.runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
  });

  test('limits become lower and higher again, with the swap that goes with them', async () => {
    const pod = await bench.pod();
    const withSwap = (bytes: number) => ({
      memoryLimitBytes: bytes,
      ...(existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes') && { memorySwapLimitBytes: bytes }),
    });
    const of = (cpus: number, mebibytes: number) => ({
      cpuShares: 1024 * cpus,
      cpuQuotaUs: 100_000 * cpus,
      cpuPeriodUs: 100_000,
      ...withSwap(mebibytes * mebibyte),
    });
    const id = await bench.start(pod, 'main', 'sleep 100', { resources: of(1, 64) });
    for (const [cpus, mebibytes] of [
      [0.5, 32],
      [1.5, 96],
    ] as const) {
      await bench.runtime.updateContainerResources(id, of(cpus, mebibytes));
      expect(limitsOf(pod, id)).toEqual({ memory: mebibytes * mebibyte, quota: 100_000 * cpus });
    }
    expect((await bench.runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
  });

  test('statistics tell the CPU time and memory used', async () => {
    const pod = await bench.pod();
    const script =
      'x=$(head -c 8000000 /dev/zero | tr "\\0" x); i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo ready; while :; do sleep 1; done';
    const id = await bench.start(pod, 'main', script, { labels: { stats: 'yes' } });
    await bench.logged(id, /ready/);
    const stats = await eventually(async () => {
      const found = await bench.runtime.containerStats(id);
      expect(found.memoryWorkingSetBytes).toBeGreaterThan(4 * mebibyte);
      return found;
    });
    expect(stats).toMatchObject({ id, metadata: { name: 'main', attempt: 0 }, labels: { stats: 'yes' } });
    expect(Number(stats.cpuUsageCoreNanoSeconds)).toBeGreaterThan(1_000_000);
    const listed = await bench.runtime.listContainerStats({ podSandboxId: pod.id });
    expect(listed.map((entry) => entry.id)).toEqual([id]);
  });

  test('there are no statistics of what never was', async () => {
    await expect(bench.runtime.containerStats('0123456789abcdef')).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  /** Read on the host, in the cgroup that the container has below its pod's. */
  function limitsOf(pod: Pod, id: string): { memory: number; quota: number } {
    const read = (controller: string, file: string): string =>
      readFileSync(join('/sys/fs/cgroup', controller, pod.config.cgroupParent, id, file), 'utf8');
    if (existsSync('/sys/fs/cgroup/cgroup.controllers'))
      return { memory: Number(read('', 'memory.max')), quota: Number(read('', 'cpu.max').split(' ')[0]) };
    return {
      memory: Number(read('memory', 'memory.limit_in_bytes')),
      quota: Number(read('cpu', 'cpu.cfs_quota_us')),
    };
  }
}
