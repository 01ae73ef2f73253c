import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LinuxContainerResources } from '../runtime.ts';
import { cgroupWrites, weightOfShares } from './cgroup-files.ts';

const written = (resources: LinuxContainerResources, version: 1 | 2): Record<string, string> =>
  Object.fromEntries(cgroupWrites(resources, version).map(({ file, value }) => [file, value]));

const full: LinuxContainerResources = {
  cpuShares: 512,
  cpuQuotaUs: 50_000,
  cpuPeriodUs: 100_000,
  memoryLimitBytes: 1000,
  memorySwapLimitBytes: 1500,
  cpusetCpus: '0-1',
  cpusetMems: '0',
  hugepageLimits: [{ pageSize: '2MB', limitBytes: 4 }],
};

test('all resources have a file in cgroup v1', () => {
  expect(written({ ...full, unified: { 'pids.max': '9' } }, 1)).toEqual({
    'cpu.shares': '512',
    'cpu.cfs_period_us': '100000',
    'cpu.cfs_quota_us': '50000',
    'memory.limit_in_bytes': '1000',
    'memory.memsw.limit_in_bytes': '1500',
    'cpuset.cpus': '0-1',
    'cpuset.mems': '0',
    'hugetlb.2MB.limit_in_bytes': '4',
    'pids.max': '9',
  });
});

test('all resources have a file in cgroup v2, where swap is counted apart', () => {
  expect(written({ ...full, unified: { 'memory.min': '7' } }, 2)).toEqual({
    'cpu.weight': '20',
    'cpu.max': '50000 100000',
    'memory.max': '1000',
    'memory.swap.max': '500',
    'cpuset.cpus': '0-1',
    'cpuset.mems': '0',
    'hugetlb.2MB.max': '4',
    'memory.min': '7',
  });
});

test('nothing is written for what is not asked', () => {
  const nothing: LinuxContainerResources = {
    cpuShares: 0,
    cpuQuotaUs: 0,
    memoryLimitBytes: 0,
    cpusetCpus: '',
  };
  expect(written(nothing, 1)).toEqual({});
  expect(written(nothing, 2)).toEqual({});
});

test('-1 lifts a limit', () => {
  const unlimited: LinuxContainerResources = { cpuQuotaUs: -1, memoryLimitBytes: -1 };
  expect(written(unlimited, 1)).toEqual({ 'cpu.cfs_quota_us': '-1', 'memory.limit_in_bytes': '-1' });
  expect(written(unlimited, 2)).toEqual({ 'cpu.max': 'max 100000', 'memory.max': 'max' });
});

test('what only cgroup v2 has is refused on v1', () => {
  expect(() => cgroupWrites({ unified: { 'memory.min': '1' } }, 1)).toThrow(/memory\.min needs cgroup v2/);
});

test('weights keep the range and the order of shares', () => {
  expect([weightOfShares(2), weightOfShares(262144), weightOfShares(0), weightOfShares(2 ** 30)]).toEqual([
    1, 10000, 1, 10000,
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 262144 }), fc.integer({ min: 2, max: 262144 }), (a, b) => {
      expect(Math.sign(weightOfShares(a) - weightOfShares(b)) * Math.sign(a - b)).toBeGreaterThanOrEqual(0);
    }),
  );
});
