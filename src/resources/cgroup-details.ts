/**
 * All that the kernel counts for a cgroup and what it limits it to, in one shape for v1 and v2, for those who look
 * closely (`/metrics/cadvisor`, `/stats/summary`). What the kernel does not tell is undefined.
 */
import { words } from './cgroup-layout.ts';
import { flatKeyed, singleNumber } from './cgroup-stats.ts';

export interface CgroupDetails {
  cpuUserSeconds?: number;
  cpuSystemSeconds?: number;
  /** Periods of the quota so far, and those in which it was used up. */
  quotaPeriods?: number;
  throttledPeriods?: number;
  throttledSeconds?: number;
  /** v2: worked out from the weight. */
  cpuShares?: number;
  /** 0: none. */
  cpuQuotaUs?: number;
  cpuPeriodUs?: number;
  /** 0: none. */
  memoryLimitBytes?: number;
  memoryCacheBytes?: number;
  memoryMappedBytes?: number;
  memoryKernelBytes?: number;
  memoryMaxUsageBytes?: number;
  memoryActiveFileBytes?: number;
  memoryInactiveFileBytes?: number;
  /** How often the limit was reached. */
  memoryLimitHits?: number;
  oomKills?: number;
  pageFaults?: number;
  majorPageFaults?: number;
  swapBytes?: number;
  /** Of swap alone; 0: none. */
  swapLimitBytes?: number;
  threads?: number;
  /** 0: no limit. */
  maxThreads?: number;
  blockDevices: BlockDeviceUsage[];
  pressure: Pressures;
}

export interface BlockDeviceUsage {
  major: number;
  minor: number;
  readBytes: number;
  writtenBytes: number;
  reads: number;
  writes: number;
}

export type PressureResource = 'cpu' | 'memory' | 'io';

/** Pressure stall information, where the kernel has it: of cgroups only v2. */
export type Pressures = Partial<Record<PressureResource, Pressure>>;

/** How long `some` or all (`full`) of the tasks had to wait: in per cent of the last seconds, and in all. */
export interface Pressure {
  some: Stall;
  full: Stall;
}

export interface Stall {
  avg10: number;
  avg60: number;
  avg300: number;
  totalUs: number;
}

/** Reads a control file; undefined where there is none. */
type Read = (controller: string, file: string) => string | undefined;

export function detailsV1(read: Read): CgroupDetails {
  const memory = flatKeyed(read('memory', 'memory.stat'));
  const throttling = flatKeyed(read('cpu', 'cpu.stat'));
  const ticks = flatKeyed(read('cpuacct', 'cpuacct.stat'));
  const limit = v1Limit(singleNumber(read('memory', 'memory.limit_in_bytes')));
  const withSwap = v1Limit(singleNumber(read('memory', 'memory.memsw.limit_in_bytes')));
  const quotaUs = Number(read('cpu', 'cpu.cfs_quota_us') ?? Number.NaN);
  return {
    cpuUserSeconds: scaled(ticks.get('user'), 1 / ticksPerSecond),
    cpuSystemSeconds: scaled(ticks.get('system'), 1 / ticksPerSecond),
    quotaPeriods: throttling.get('nr_periods'),
    throttledPeriods: throttling.get('nr_throttled'),
    throttledSeconds: scaled(throttling.get('throttled_time'), 1e-9),
    cpuShares: singleNumber(read('cpu', 'cpu.shares')),
    cpuQuotaUs: Number.isNaN(quotaUs) ? undefined : Math.max(quotaUs, 0),
    cpuPeriodUs: singleNumber(read('cpu', 'cpu.cfs_period_us')),
    memoryLimitBytes: limit,
    memoryCacheBytes: memory.get('total_cache'),
    memoryMappedBytes: memory.get('total_mapped_file'),
    memoryKernelBytes: singleNumber(read('memory', 'memory.kmem.usage_in_bytes')),
    memoryMaxUsageBytes: singleNumber(read('memory', 'memory.max_usage_in_bytes')),
    memoryActiveFileBytes: memory.get('total_active_file'),
    memoryInactiveFileBytes: memory.get('total_inactive_file'),
    memoryLimitHits: singleNumber(read('memory', 'memory.failcnt')),
    oomKills: flatKeyed(read('memory', 'memory.oom_control')).get('oom_kill'),
    pageFaults: memory.get('total_pgfault'),
    majorPageFaults: memory.get('total_pgmajfault'),
    swapBytes: memory.get('total_swap'),
    swapLimitBytes: withSwap === undefined ? undefined : Math.max(withSwap - (limit ?? 0), 0),
    ...threads(read),
    blockDevices: devicesV1(read),
    pressure: {},
  };
}

export function detailsV2(read: Read): CgroupDetails {
  const memory = flatKeyed(read('memory', 'memory.stat'));
  const cpu = flatKeyed(read('cpu', 'cpu.stat'));
  const events = flatKeyed(read('memory', 'memory.events'));
  const [quota, period] = words(read('cpu', 'cpu.max') ?? '');
  const weight = singleNumber(read('cpu', 'cpu.weight'));
  return {
    cpuUserSeconds: scaled(cpu.get('user_usec'), 1e-6),
    cpuSystemSeconds: scaled(cpu.get('system_usec'), 1e-6),
    quotaPeriods: cpu.get('nr_periods'),
    throttledPeriods: cpu.get('nr_throttled'),
    throttledSeconds: scaled(cpu.get('throttled_usec'), 1e-6),
    cpuShares: weight === undefined ? undefined : sharesOf(weight),
    cpuQuotaUs: quota === undefined ? undefined : (singleNumber(quota) ?? 0),
    cpuPeriodUs: singleNumber(period),
    memoryLimitBytes: v2Limit(read('memory', 'memory.max')),
    memoryCacheBytes: memory.get('file'),
    memoryMappedBytes: memory.get('file_mapped'),
    memoryKernelBytes: memory.get('kernel'),
    memoryMaxUsageBytes: singleNumber(read('memory', 'memory.peak')),
    memoryActiveFileBytes: memory.get('active_file'),
    memoryInactiveFileBytes: memory.get('inactive_file'),
    memoryLimitHits: events.get('max'),
    oomKills: events.get('oom_kill'),
    pageFaults: memory.get('pgfault'),
    majorPageFaults: memory.get('pgmajfault'),
    swapBytes: singleNumber(read('memory', 'memory.swap.current')),
    swapLimitBytes: v2Limit(read('memory', 'memory.swap.max')),
    ...threads(read),
    blockDevices: devicesV2(read('io', 'io.stat')),
    pressure: pressures((resource) => read(resource, `${resource}.pressure`)),
  };
}

/** @param read the text that the kernel has for a resource; undefined where it has none */
export function pressures(read: (resource: PressureResource) => string | undefined): Pressures {
  const found = (['cpu', 'memory', 'io'] as const).flatMap((resource) => {
    const text = read(resource);
    return text === undefined || text === '' ? [] : [[resource, pressureOf(text)] as const];
  });
  return Object.fromEntries(found);
}

function pressureOf(text: string): Pressure {
  const stall = (kind: 'some' | 'full'): Stall => {
    const line = text.split('\n').find((each) => each.startsWith(`${kind} `)) ?? '';
    const values = keyValues(words(line));
    const [avg10, avg60, avg300, totalUs] = ['avg10', 'avg60', 'avg300', 'total'].map((key) =>
      Number(values.get(key) ?? 0),
    ) as [number, number, number, number];
    return { avg10, avg60, avg300, totalUs };
  };
  return { some: stall('some'), full: stall('full') };
}

/** The unit of cpuacct.stat is USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** v1 writes numbers near 2^63 where there is no limit. */
const v1Limit = (bytes: number | undefined): number | undefined =>
  bytes !== undefined && bytes >= 2 ** 62 ? 0 : bytes;

/** `max` is none. */
const v2Limit = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : (singleNumber(text) ?? 0);

const scaled = (value: number | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : value * factor;

/** The shares that runtimes turn into the weight (KEP-2254). */
const sharesOf = (weight: number): number => Math.round(((weight - 1) * 262142) / 9999) + 2;

const threads = (read: Read): Pick<CgroupDetails, 'threads' | 'maxThreads'> => ({
  threads: singleNumber(read('pids', 'pids.current')),
  maxThreads: v2Limit(read('pids', 'pids.max')),
});

function devicesV1(read: Read): BlockDeviceUsage[] {
  const devices = new Map<string, BlockDeviceUsage>();
  // Which of the two counts hangs on the scheduler of the device; the other has no lines.
  for (const prefix of ['blkio.throttle', 'blkio.bfq']) {
    for (const [file, unit] of [
      ['io_service_bytes_recursive', 'bytes'],
      ['io_serviced_recursive', 'times'],
    ] as const) {
      for (const line of (read('blkio', `${prefix}.${file}`) ?? '').split('\n')) {
        const [device = '', operation, count] = words(line);
        if (count === undefined) continue;
        const usage = devices.get(device) ?? noUsage(device);
        devices.set(device, usage);
        if (operation === 'Read') usage[unit === 'bytes' ? 'readBytes' : 'reads'] = Number(count);
        if (operation === 'Write') usage[unit === 'bytes' ? 'writtenBytes' : 'writes'] = Number(count);
      }
    }
    if (devices.size > 0) break;
  }
  return [...devices.values()];
}

function devicesV2(text: string | undefined): BlockDeviceUsage[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const [device, ...pairs] = words(line);
    if (device === undefined || pairs.length === 0) return [];
    const values = keyValues(pairs);
    const value = (key: string) => Number(values.get(key) ?? 0);
    const usage = { readBytes: value('rbytes'), writtenBytes: value('wbytes') };
    return [{ ...noUsage(device), ...usage, reads: value('rios'), writes: value('wios') }];
  });
}

const keyValues = (pairs: readonly string[]): ReadonlyMap<string, string> =>
  new Map(pairs.map((pair) => pair.split('=')).map(([key = '', value = '']) => [key, value]));

function noUsage(device: string): BlockDeviceUsage {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  return { major, minor, readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
}
