/** What the kernel writes into the files of a cgroup, and what is read from it. The values come from both kinds of kernels. */
import { describe, expect, it } from 'vitest';
import { detailsV1, detailsV2, pressures } from './cgroup-details.ts';

const reader = (files: Record<string, string>) => (_controller: string, file: string) => files[file];

describe('the details of a cgroup', () => {
  it.each([
    ['in v1', detailsV1],
    ['in v2', detailsV2],
  ])('%s are undefined where there are no files', (_, details) => {
    const { blockDevices, pressure, ...values } = details(() => undefined);
    expect({ blockDevices, pressure }).toEqual({ blockDevices: [], pressure: {} });
    expect(Object.values(values).filter((value) => value !== undefined)).toEqual([]);
  });

  it('are read from v1', () => {
    const details = detailsV1(
      reader({
        'cpuacct.stat': 'user 150\nsystem 25\n',
        'cpu.stat':
          'nr_periods 436\nnr_throttled 149\nthrottled_time 2063482363\nnr_bursts 0\nburst_time 0\n',
        'cpu.shares': '102\n',
        'cpu.cfs_quota_us': '10000\n',
        'cpu.cfs_period_us': '100000\n',
        'memory.limit_in_bytes': '67108864\n',
        'memory.memsw.limit_in_bytes': '100663296\n',
        'memory.stat':
          'cache 1\ntotal_cache 21020672\ntotal_mapped_file 4096\ntotal_swap 8192\ntotal_active_file 49152\ntotal_inactive_file 20971520\ntotal_pgfault 7\ntotal_pgmajfault 2\n',
        'memory.kmem.usage_in_bytes': '1077248\n',
        'memory.max_usage_in_bytes': '23711744\n',
        'memory.failcnt': '3\n',
        'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
        'pids.current': '3\n',
        'pids.max': 'max\n',
        'blkio.throttle.io_service_bytes_recursive':
          '254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\n254:0 Total 12288\nTotal 12288\n',
        'blkio.throttle.io_serviced_recursive': '254:0 Read 1\n254:0 Write 2\nTotal 3\n',
      }),
    );
    expect(details).toEqual({
      cpuUserSeconds: 1.5,
      cpuSystemSeconds: 0.25,
      quotaPeriods: 436,
      throttledPeriods: 149,
      throttledSeconds: expect.closeTo(2.063482363),
      cpuShares: 102,
      cpuQuotaUs: 10_000,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: 67_108_864,
      memoryCacheBytes: 21_020_672,
      memoryMappedBytes: 4096,
      memoryKernelBytes: 1_077_248,
      memoryMaxUsageBytes: 23_711_744,
      memoryActiveFileBytes: 49_152,
      memoryInactiveFileBytes: 20_971_520,
      memoryLimitHits: 3,
      oomKills: 1,
      pageFaults: 7,
      majorPageFaults: 2,
      swapBytes: 8192,
      swapLimitBytes: 33_554_432,
      threads: 3,
      maxThreads: 0,
      blockDevices: [{ major: 254, minor: 0, readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 }],
      pressure: {},
    });
  });

  it('have no limit in v1 where the kernel shows its largest number', () => {
    const details = detailsV1(
      reader({
        'cpu.cfs_quota_us': '-1\n',
        'memory.limit_in_bytes': '9223372036854771712\n',
        'memory.memsw.limit_in_bytes': '9223372036854771712\n',
      }),
    );
    expect(details).toMatchObject({ cpuQuotaUs: 0, memoryLimitBytes: 0, swapLimitBytes: 0 });
  });

  it('come from the scheduler of block devices where the throttle counts nothing', () => {
    const { blockDevices } = detailsV1(
      reader({
        'blkio.throttle.io_service_bytes_recursive': 'Total 0\n',
        'blkio.bfq.io_service_bytes_recursive': '8:16 Read 512\n8:16 Write 0\nTotal 512\n',
        'blkio.bfq.io_serviced_recursive': '8:16 Read 1\n8:16 Write 0\nTotal 1\n',
      }),
    );
    expect(blockDevices).toEqual([
      { major: 8, minor: 16, readBytes: 512, writtenBytes: 0, reads: 1, writes: 0 },
    ]);
  });

  it('are read from v2', () => {
    const details = detailsV2(
      reader({
        'cpu.stat':
          'usage_usec 3500000\nuser_usec 1500000\nsystem_usec 2000000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n',
        'cpu.weight': '39\n',
        'cpu.max': 'max 100000\n',
        'memory.max': '67108864\n',
        'memory.stat':
          'anon 1\nfile 4096\nkernel 2048\nfile_mapped 1024\nactive_file 512\ninactive_file 256\npgfault 7\npgmajfault 2\n',
        'memory.peak': '8388608\n',
        'memory.events': 'low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\n',
        'memory.swap.current': '8192\n',
        'memory.swap.max': 'max\n',
        'pids.current': '3\n',
        'pids.max': '100\n',
        'io.stat':
          '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n253:1 rbytes=1 wbytes=2 rios=3 wios=4\n',
        'cpu.pressure':
          'some avg10=1.50 avg60=0.50 avg300=0.10 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
      }),
    );
    expect(details).toEqual({
      cpuUserSeconds: 1.5,
      cpuSystemSeconds: 2,
      quotaPeriods: 10,
      throttledPeriods: 4,
      throttledSeconds: 0.5,
      cpuShares: 998,
      cpuQuotaUs: 0,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: 67_108_864,
      memoryCacheBytes: 4096,
      memoryMappedBytes: 1024,
      memoryKernelBytes: 2048,
      memoryMaxUsageBytes: 8_388_608,
      memoryActiveFileBytes: 512,
      memoryInactiveFileBytes: 256,
      memoryLimitHits: 5,
      oomKills: 1,
      pageFaults: 7,
      majorPageFaults: 2,
      swapBytes: 8192,
      swapLimitBytes: 0,
      threads: 3,
      maxThreads: 100,
      blockDevices: [
        { major: 8, minor: 0, readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 },
        { major: 253, minor: 1, readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 },
      ],
      pressure: {
        cpu: {
          some: { avg10: 1.5, avg60: 0.5, avg300: 0.1, totalUs: 2_000_000 },
          full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 },
        },
      },
    });
  });
});

it('a kernel before 5.13 has no line for all of the CPU', () => {
  const text = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n';
  expect(pressures((resource) => (resource === 'cpu' ? text : undefined))).toEqual({
    cpu: {
      some: { avg10: 0, avg60: 0, avg300: 0, totalUs: 5 },
      full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 },
    },
  });
});
