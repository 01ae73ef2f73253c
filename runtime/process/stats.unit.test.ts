import { expect, test } from 'vitest';
import { memoryV1, memoryV2 } from './stats.ts';

const reader = (files: Record<string, string>) => (file: string) => files[file];

test('the working set leaves out file cache that was not used lately', () => {
  const expected = {
    memoryUsageBytes: 1000,
    memoryWorkingSetBytes: 700,
    memoryAvailableBytes: 1300,
    memoryRssBytes: 400,
    pageFaults: 5,
    majorPageFaults: 1,
  };
  expect(
    memoryV2(
      reader({
        'memory.current': '1000\n',
        'memory.max': '2000\n',
        'memory.stat': 'anon 400\nfile 600\ninactive_file 300\npgfault 5\npgmajfault 1\n',
      }),
    ),
  ).toEqual(expected);
  expect(
    memoryV1(
      reader({
        'memory.usage_in_bytes': '1000\n',
        'memory.limit_in_bytes': '2000\n',
        'memory.stat':
          'rss 1\ntotal_rss 400\ninactive_file 9\ntotal_inactive_file 300\ntotal_pgfault 5\ntotal_pgmajfault 1\n',
      }),
    ),
  ).toEqual(expected);
});

test('without a limit nothing is said of what is available', () => {
  expect(memoryV2(reader({ 'memory.current': '5', 'memory.max': 'max\n', 'memory.stat': '' }))).toEqual({
    memoryUsageBytes: 5,
    memoryWorkingSetBytes: 5,
  });
  const unlimited = { 'memory.usage_in_bytes': '5', 'memory.limit_in_bytes': '9223372036854771712\n' };
  expect(memoryV1(reader(unlimited))).not.toHaveProperty('memoryAvailableBytes');
});

test('a cgroup that is gone has no memory to tell of', () => {
  expect(memoryV1(reader({}))).toEqual({});
  expect(memoryV2(reader({}))).toEqual({});
});
