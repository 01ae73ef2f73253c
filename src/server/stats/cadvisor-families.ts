/** The families of `/metrics/cadvisor` that are read from a cgroup: names, labels and units are cAdvisor's. */
import type { BlockDeviceUsage, CgroupDetails, PressureResource } from '../../resources/cgroup-details.ts';
import type { MetricFamily } from '../exposition.ts';
import { deviceName } from './block-devices.ts';

export interface CgroupFamily extends Omit<MetricFamily, 'samples'> {
  samples(details: CgroupDetails): CgroupSample[];
}

export interface CgroupSample {
  labels?: Readonly<Record<string, string>>;
  value: number;
}

const family = (
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (details: CgroupDetails) => number | undefined,
): CgroupFamily => ({
  name,
  help,
  type,
  samples: (details) => {
    const found = value(details);
    return found === undefined ? [] : [{ value: found }];
  },
});

const counter = (name: string, help: string, value: (details: CgroupDetails) => number | undefined) =>
  family('counter', name, help, value);
const gauge = (name: string, help: string, value: (details: CgroupDetails) => number | undefined) =>
  family('gauge', name, help, value);

const ofDevices = (name: string, help: string, value: (usage: BlockDeviceUsage) => number): CgroupFamily => ({
  name,
  help,
  type: 'counter',
  samples: ({ blockDevices }) =>
    blockDevices.map((usage) => ({
      labels: { device: deviceName(usage) },
      value: value(usage),
    })),
});

const pressure = (resource: PressureResource): CgroupFamily[] => {
  const seconds = (us: number | undefined) => (us === undefined ? undefined : us / 1e6);
  return [
    counter(
      `container_pressure_${resource}_waiting_seconds_total`,
      `How long some task had to wait for ${resource}.`,
      (details) => seconds(details.pressure[resource]?.some.totalUs),
    ),
    counter(
      `container_pressure_${resource}_stalled_seconds_total`,
      `How long no task could go on for want of ${resource}.`,
      (details) => seconds(details.pressure[resource]?.full.totalUs),
    ),
  ];
};

const failures: CgroupFamily = {
  name: 'container_memory_failures_total',
  help: 'Page faults, those below included.',
  type: 'counter',
  samples: ({ pageFaults, majorPageFaults }) =>
    Object.entries({ pgfault: pageFaults, pgmajfault: majorPageFaults }).flatMap(([failure_type, value]) =>
      value === undefined ? [] : [{ labels: { failure_type, scope: 'hierarchy' }, value }],
    ),
};

export const cgroupFamilies: readonly CgroupFamily[] = [
  counter('container_cpu_user_seconds_total', 'CPU time in user mode.', (d) => d.cpuUserSeconds),
  counter('container_cpu_system_seconds_total', 'CPU time in the kernel.', (d) => d.cpuSystemSeconds),
  counter(
    'container_cpu_cfs_periods_total',
    'Periods of the CPU quota that have passed.',
    limited('quotaPeriods'),
  ),
  counter(
    'container_cpu_cfs_throttled_periods_total',
    'Periods in which the CPU quota was used up.',
    limited('throttledPeriods'),
  ),
  counter(
    'container_cpu_cfs_throttled_seconds_total',
    'How long it was kept from running by its CPU quota.',
    limited('throttledSeconds'),
  ),
  gauge('container_spec_cpu_shares', 'CPU share.', (d) => d.cpuShares),
  gauge(
    'container_spec_cpu_quota',
    'CPU time in microseconds that it may have in a period.',
    limited('cpuQuotaUs'),
  ),
  gauge('container_spec_cpu_period', 'Period of the CPU quota in microseconds.', (d) => d.cpuPeriodUs),
  gauge('container_spec_memory_limit_bytes', 'Limit of memory, 0 for none.', (d) => d.memoryLimitBytes),
  gauge('container_spec_memory_swap_limit_bytes', 'Limit of swap, 0 for none.', (d) => d.swapLimitBytes),
  gauge('container_memory_cache', 'Memory of the page cache.', (d) => d.memoryCacheBytes),
  gauge('container_memory_mapped_file', 'Memory of files that are mapped.', (d) => d.memoryMappedBytes),
  gauge('container_memory_kernel_usage', 'Memory that the kernel has for it.', (d) => d.memoryKernelBytes),
  gauge(
    'container_memory_max_usage_bytes',
    'Most memory that was in use at once.',
    (d) => d.memoryMaxUsageBytes,
  ),
  gauge(
    'container_memory_total_active_file_bytes',
    'File pages that were used lately.',
    (d) => d.memoryActiveFileBytes,
  ),
  gauge(
    'container_memory_total_inactive_file_bytes',
    'File pages that were not used lately.',
    (d) => d.memoryInactiveFileBytes,
  ),
  counter('container_memory_failcnt', 'How often the limit of memory was reached.', (d) => d.memoryLimitHits),
  failures,
  gauge('container_memory_swap', 'Swap in use.', (d) => d.swapBytes),
  counter('container_oom_events_total', 'Processes killed for want of memory.', (d) => d.oomKills),
  gauge('container_threads', 'Threads that run inside.', (d) => d.threads),
  gauge('container_threads_max', 'Threads that may run inside, 0 for no limit.', (d) => d.maxThreads),
  ofDevices('container_fs_reads_bytes_total', 'Bytes read.', (usage) => usage.readBytes),
  ofDevices('container_fs_writes_bytes_total', 'Bytes written.', (usage) => usage.writtenBytes),
  ofDevices('container_fs_reads_total', 'Reads.', (usage) => usage.reads),
  ofDevices('container_fs_writes_total', 'Writes.', (usage) => usage.writes),
  ...pressure('cpu'),
  ...pressure('memory'),
  ...pressure('io'),
];

/** As cAdvisor: there is nothing to tell of a quota where there is none. */
function limited(field: 'quotaPeriods' | 'throttledPeriods' | 'throttledSeconds' | 'cpuQuotaUs') {
  return (details: CgroupDetails): number | undefined =>
    (details.cpuQuotaUs ?? 0) > 0 ? details[field] : undefined;
}
