/** Parts of the Summary API that are made alike for the node, cgroups, pods and containers. */

import type { ContainerStats } from '../../../runtime/runtime.ts';
import { time } from '../../api/time.ts';
import type { CgroupDetails, Pressure, Pressures, Stall } from '../../resources/cgroup-details.ts';
import type { DiskUsage } from '../../volumes/disk-usage-reader.ts';
import type { PodUsage } from '../agent-view.ts';
import type { InterfaceUsage } from './network-usage.ts';
import type { FilesystemSpace } from './node-usage.ts';
import type {
  ContainerSummary,
  FsStats,
  IoStats,
  MemoryStats,
  NetworkStats,
  PsiData,
  PsiStats,
  SwapStats,
} from './summary-api.ts';

export const psi = (pressure: Pressure | undefined): { psi?: PsiStats } =>
  pressure === undefined ? {} : { psi: { full: data(pressure.full), some: data(pressure.some) } };

export const io = (time: string, { io: pressure }: Pressures): { io?: IoStats } => {
  const found = psi(pressure).psi;
  return found === undefined ? {} : { io: { time, psi: found } };
};

/**
 * @param details undefined: of what has no cgroup
 * @param freeBytes of the machine's swap
 */
export function swap(
  time: string,
  details: CgroupDetails | undefined,
  freeBytes: number,
): { swap?: SwapStats } {
  const { swapBytes, swapLimitBytes = 0 } = details ?? {};
  if (swapBytes === undefined) return {};
  const left = swapLimitBytes > 0 ? Math.max(swapLimitBytes - swapBytes, 0) : freeBytes;
  return { swap: { time, swapUsageBytes: swapBytes, swapAvailableBytes: Math.min(left, freeBytes) } };
}

const data = ({ avg10, avg60, avg300, totalUs }: Stall): PsiData => ({
  total: totalUs,
  avg10,
  avg60,
  avg300,
});

export const taken = (space: FilesystemSpace): { usedBytes: number; inodesUsed: number } => ({
  usedBytes: space.usedBytes,
  inodesUsed: space.inodes - space.inodesFree,
});

export const fsStats = (usage: DiskUsage, space: FilesystemSpace): FsStats => ({
  time: time(usage.timestampMs),
  ...space,
  usedBytes: usage.usedBytes,
  inodesUsed: usage.inodesUsed,
});

export function network(
  at: string,
  usages: readonly InterfaceUsage[],
  main: string | undefined,
): NetworkStats {
  const interfaces = usages.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }));
  return { time: at, ...interfaces.find(({ name }) => name === main), interfaces };
}

export function memory(usage: ContainerStats | PodUsage, details: CgroupDetails | undefined): MemoryStats {
  const faults = usage as Partial<ContainerStats>;
  return {
    time: time(usage.timestampMs),
    availableBytes:
      faults.memoryAvailableBytes ?? leftOf(details?.memoryLimitBytes, usage.memoryWorkingSetBytes),
    usageBytes: usage.memoryUsageBytes,
    workingSetBytes: usage.memoryWorkingSetBytes,
    rssBytes: usage.memoryRssBytes,
    pageFaults: faults.pageFaults,
    majorPageFaults: faults.majorPageFaults,
    ...psi(details?.pressure.memory),
  };
}

const leftOf = (limitBytes = 0, usedBytes = 0): number | undefined =>
  limitBytes > 0 ? Math.max(limitBytes - usedBytes, 0) : undefined;

/** What eviction counts as the pod's: writable layers, logs and volumes. */
export function ephemeralStorage(
  containers: readonly ContainerSummary[],
  volumes: readonly FsStats[],
  space: FilesystemSpace,
  nowMs: number,
): FsStats {
  const parts = [...containers.flatMap(({ rootfs, logs }) => [rootfs, logs]), ...volumes];
  const sum = (field: 'usedBytes' | 'inodesUsed'): number =>
    parts.reduce((total, part) => total + (part?.[field] ?? 0), 0);
  return { time: time(nowMs), ...space, usedBytes: sum('usedBytes'), inodesUsed: sum('inodesUsed') };
}
