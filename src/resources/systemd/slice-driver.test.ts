import { expect, it } from 'vitest';
import { sliceProperties } from './slice-driver.ts';

const infinity = 2n ** 64n - 1n;

it.each([
  ['nothing', {}, []],
  ['shares, as a weight', { cpuShares: 1024 }, [['CPUWeight', 39n]]],
  [
    'a quota, as time a second',
    { cpuQuotaUs: 50_000, cpuPeriodUs: 100_000 },
    [['CPUQuotaPerSecUSec', 500_000n]],
  ],
  [
    'no less than a quota that is no whole number',
    { cpuQuotaUs: 1000, cpuPeriodUs: 3000 },
    [
      ['CPUQuotaPeriodUSec', 3000n],
      ['CPUQuotaPerSecUSec', 333_334n],
    ],
  ],
  [
    'no limits',
    { cpuQuotaUs: -1, memoryLimitBytes: -1, pidsLimit: -1 },
    [
      ['CPUQuotaPerSecUSec', infinity],
      ['MemoryMax', infinity],
      ['TasksMax', infinity],
    ],
  ],
  [
    'memory and processes',
    { memoryLimitBytes: 2 ** 40, pidsLimit: 0 },
    [
      ['MemoryMax', 2n ** 40n],
      ['TasksMax', 0n],
    ],
  ],
])('systemd is told %s', (_, settings, properties) => {
  expect(sliceProperties(settings)).toEqual(properties);
});
