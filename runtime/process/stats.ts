/** What the kernel counted for a container, from the files of its cgroup in either version. */
import type { ContainerStats } from '../runtime.ts';
import type { Cgroups } from './cgroups.ts';
import type { ContainerRecord } from './store.ts';

export function readStats(cgroups: Cgroups, { id, config, cgroup }: ContainerRecord): ContainerStats {
  const memory = cgroups.isUnified('memory')
    ? memoryV2((file) => cgroups.read(cgroup, 'memory', file))
    : memoryV1((file) => cgroups.read(cgroup, 'memory', file));
  return {
    id,
    metadata: config.metadata,
    labels: config.labels,
    timestampMs: Date.now(),
    ...cpu(cgroups, cgroup),
    ...memory,
  };
}

type MemoryStats = Pick<
  ContainerStats,
  | 'memoryUsageBytes'
  | 'memoryWorkingSetBytes'
  | 'memoryRssBytes'
  | 'memoryAvailableBytes'
  | 'pageFaults'
  | 'majorPageFaults'
>;

/** v1 writes numbers near 2^63 where there is no limit. */
const unlimitedBytes = 2 ** 62;

export function memoryV1(read: (file: string) => string | undefined): MemoryStats {
  const stat = parseFlat(read('memory.stat'));
  return memoryStats(
    number(read('memory.usage_in_bytes')),
    number(read('memory.limit_in_bytes')),
    stat.get('total_inactive_file'),
    stat.get('total_rss'),
    stat.get('total_pgfault'),
    stat.get('total_pgmajfault'),
  );
}

export function memoryV2(read: (file: string) => string | undefined): MemoryStats {
  const stat = parseFlat(read('memory.stat'));
  return memoryStats(
    number(read('memory.current')),
    number(read('memory.max')),
    stat.get('inactive_file'),
    stat.get('anon'),
    stat.get('pgfault'),
    stat.get('pgmajfault'),
  );
}

/** The working set is what cannot be given up easily: usage less the file cache that was not used lately. */
function memoryStats(
  usage: number | undefined,
  limit: number | undefined,
  inactiveFile: number | undefined,
  rss: number | undefined,
  pageFaults: number | undefined,
  majorPageFaults: number | undefined,
): MemoryStats {
  if (usage === undefined) return {};
  const workingSet = Math.max(0, usage - (inactiveFile ?? 0));
  const limited = limit !== undefined && limit < unlimitedBytes;
  return {
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: workingSet,
    ...(limited && { memoryAvailableBytes: Math.max(0, limit - workingSet) }),
    ...(rss !== undefined && { memoryRssBytes: rss }),
    ...(pageFaults !== undefined && { pageFaults }),
    ...(majorPageFaults !== undefined && { majorPageFaults }),
  };
}

function cpu(cgroups: Cgroups, cgroup: string): Pick<ContainerStats, 'cpuUsageCoreNanoSeconds'> {
  if (cgroups.isUnified('cpuacct')) {
    const usec = parseFlat(cgroups.read(cgroup, 'cpu', 'cpu.stat')).get('usage_usec');
    return usec === undefined ? {} : { cpuUsageCoreNanoSeconds: BigInt(usec) * 1000n };
  }
  const nanoseconds = cgroups.read(cgroup, 'cpuacct', 'cpuacct.usage');
  return nanoseconds === undefined ? {} : { cpuUsageCoreNanoSeconds: BigInt(nanoseconds.trim()) };
}

function parseFlat(text: string | undefined): Map<string, number> {
  const entries = (text ?? '').split('\n').map((line) => line.split(' '));
  return new Map(entries.flatMap(([key, value]) => (key && value ? [[key, Number(value)] as const] : [])));
}

const number = (text: string | undefined): number | undefined =>
  text === undefined || Number.isNaN(Number(text)) ? undefined : Number(text);
