/**
 * What the kernel does to a host process at each of its limits, beyond what every runtime shows in the contract. What only
 * cgroup v2 has, or only a machine with free huge pages, is a case there alone: the virtual machine of cgroup-v2.sh.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, useBench } from '../../runtime/contract/harness.ts';
import { processUnderTest } from '../../runtime/contract/process.ts';
import { cgroups } from '../../runtime/process/cgroups.ts';
import { freeze } from './freeze.ts';

const bench = useBench(processUnderTest);
const isUnified = cgroups().isUnified('memory');
const mebibyte = 2 ** 20;
const pageBytes = 2 * mebibyte;

test('a CPU quota throttles', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'while :; do :; done', {
    resources: { cpuQuotaUs: 20_000, cpuPeriodUs: 100_000 },
  });
  await eventually(async () => {
    const counted = cgroups().read(`${pod.config.cgroupParent}/${id}`, 'cpu', 'cpu.stat');
    expect(Number(/^nr_throttled (\d+)$/m.exec(`${counted}`)?.[1])).toBeGreaterThan(3);
  });
});

if (!isUnified)
  test.each([
    ['one after the other', ['', '/container']],
    ['with the one below them', ['/container']],
  ])('cgroups whose maker was killed before they had CPUs get them %s (v1)', async (_, created) => {
    const half = `${bench.running.cgroupRoot}/half`;
    const [cpuset = ''] = cgroups()
      .directories(half)
      .filter((directory) => directory.includes('/cpuset/'));
    await mkdir(join(cpuset, 'container'), { recursive: true });
    for (const below of created) cgroups().create(`${half}${below}`);
    for (const path of [half, `${half}/container`])
      expect(cgroups().read(path, 'cpuset', 'cpuset.cpus')?.trim()).not.toBe('');
    await cgroups().remove(half);
  });

if (isUnified)
  test('a container is killed for memory as a whole where that is asked for (v2)', async () => {
    const { status, stdout } = await bench.runToEnd(
      await bench.pod(),
      'main',
      '(tail /dev/zero); echo survived; exit 0',
      { resources: { memoryLimitBytes: 24 * mebibyte, unified: { 'memory.oom.group': '1' } } },
    );
    expect(stdout).toBe('');
    expect(status).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

test('a limit of processes holds', async () => {
  const script = 'i=0; while [ $i -lt 30 ]; do sleep 100 & i=$((i+1)); done; echo all';
  const { status, stdout } = await bench.runToEnd(await bench.pod(), 'main', script, {
    resources: { unified: { 'pids.max': '16' } },
  });
  expect(stdout).toBe('');
  expect(status.exitCode).not.toBe(0);
});

if (isUnified)
  test('a frozen container is killed (v2)', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'exec sleep 100');
    freeze(`${pod.config.cgroupParent}/${id}`, true);
    await bench.runtime.stopContainer(id, 0);
    expect(await bench.runtime.containerStatus(id)).toMatchObject({ exitCode: 137 });
  });

if (freeHugePages() >= 2 && canLimitHugePages())
  test('huge pages beyond the limit are not given', async () => {
    // As the kernel does it: the page is refused when it is touched, with SIGBUS.
    const take = (pages: number) => [
      ...['python3', '-c'],
      `import mmap
m = mmap.mmap(-1, ${pages * pageBytes}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
for at in range(0, ${pages * pageBytes}, ${pageBytes}): m[at] = 1
print('taken', flush=True)`,
    ];
    const pod = await bench.pod();
    const resources = { hugepageLimits: [{ pageSize: '2MB', limitBytes: pageBytes }] };
    const within = await bench.runToEnd(pod, 'within', '', { command: take(1), resources });
    expect(within).toMatchObject({ stdout: 'taken\n', status: { exitCode: 0 } });
    const beyond = await bench.runToEnd(pod, 'beyond', '', { command: take(2), resources });
    expect(beyond).toMatchObject({ stdout: '', status: { exitCode: 128 + 7 } });
  });

function freeHugePages(): number {
  const [free] = /(?<=HugePages_Free: +)\d+/.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(free);
}

function canLimitHugePages(): boolean {
  return cgroups().read('/', 'hugetlb', 'cgroup.controllers')?.includes('hugetlb') === true;
}
