/** In which order pods are evicted: beyond their request first, then by priority, then by how far beyond. */
import type { Pod } from '../api/core.gen.ts';
import { formatBytes, toAmounts } from '../resources/amounts.ts';
import { podRequests } from '../resources/qos.ts';
import type { EvictionSignal } from './thresholds.ts';

export interface PodWithUsage {
  pod: Pod;
  usage: PodUsage;
}

/** What a pod uses. Undefined and missing: not known, counted as nothing. */
export interface PodUsage {
  memoryWorkingSetBytes?: number;
  processCount?: number;
  /** By container name. */
  containers: ReadonlyMap<string, ContainerUsage>;
  /** Volumes whose content is the pod's ephemeral storage, by name. */
  volumes: ReadonlyMap<string, DiskUsage>;
  /** Some of it could not be measured: where disk is short, such a pod is taken for the largest of its rank. */
  isDiskUnknown?: boolean;
}

export interface ContainerUsage {
  memoryWorkingSetBytes?: number;
  rootfs?: DiskUsage;
  logs?: DiskUsage;
}

export interface DiskUsage {
  bytes: number;
  inodes: number;
}

/** First: the first to go. */
export function rankForEviction(
  pods: readonly PodWithUsage[],
  signal: EvictionSignal,
  dedicatedImageFs: boolean,
): PodWithUsage[] {
  const measured = pods.map((candidate) => {
    const { used, requested } = measure(candidate, signal, dedicatedImageFs);
    return {
      candidate,
      beyond: used - requested,
      exceeds: used > requested,
      priority: candidate.pod.spec?.priority ?? 0,
    };
  });
  // A number of processes or inodes cannot be requested, so nobody is beyond it.
  const requestable = signal === 'memory.available' || signal.endsWith('fs.available');
  return measured
    .sort(
      (a, b) =>
        (requestable ? Number(b.exceeds) - Number(a.exceeds) : 0) ||
        a.priority - b.priority ||
        b.beyond - a.beyond,
    )
    .map(({ candidate }) => candidate);
}

/** Names the containers that use more than they asked for. */
export function usageMessage({ pod, usage }: PodWithUsage, signal: EvictionSignal): string {
  const resource = signal === 'memory.available' ? 'memory' : 'ephemeral-storage';
  if (!signal.endsWith('.available') || signal === 'pid.available') return '';
  return (pod.spec?.containers ?? [])
    .map(({ name, resources }) => {
      const container = usage.containers.get(name);
      const requested = toAmounts(resources?.requests)[resource] ?? 0;
      const used =
        resource === 'memory'
          ? (container?.memoryWorkingSetBytes ?? 0)
          : containerDisk(container, everyDisk).bytes;
      if (used <= requested) return '';
      return `Container ${name} was using ${formatBytes(used)}, request is ${formatBytes(requested)}, has larger consumption of ${resource}. `;
    })
    .join('');
}

/** Writable layer and logs of one container. */
export function containerDisk(container: ContainerUsage | undefined, disks: Disks = everyDisk): DiskUsage {
  return total([
    ...(disks.rootfs ? [container?.rootfs] : []),
    ...(disks.logsAndVolumes ? [container?.logs] : []),
  ]);
}

export function podDisk(usage: PodUsage, disks: Disks = everyDisk): DiskUsage {
  const containers = [...usage.containers.values()].map((container) => containerDisk(container, disks));
  return total([...containers, ...(disks.logsAndVolumes ? usage.volumes.values() : [])]);
}

/** Which of a pod's files are meant: with images on a disk of their own, the writable layers are there, too. */
interface Disks {
  rootfs: boolean;
  logsAndVolumes: boolean;
}

const everyDisk: Disks = { rootfs: true, logsAndVolumes: true };

function measure(
  { pod, usage }: PodWithUsage,
  signal: EvictionSignal,
  dedicatedImageFs: boolean,
): { used: number; requested: number } {
  const requests = podRequests(pod);
  if (signal === 'memory.available') {
    return { used: usage.memoryWorkingSetBytes ?? 0, requested: requests.memory ?? 0 };
  }
  if (signal === 'pid.available') return { used: usage.processCount ?? 0, requested: 0 };
  const onImageFs = signal.startsWith('imagefs.');
  const disks = dedicatedImageFs ? { rootfs: onImageFs, logsAndVolumes: !onImageFs } : everyDisk;
  const disk = podDisk(usage, disks);
  const used = (known: number): number => (usage.isDiskUnknown ? Number.MAX_SAFE_INTEGER : known);
  if (signal.endsWith('inodesFree')) return { used: used(disk.inodes), requested: 0 };
  return { used: used(disk.bytes), requested: requests['ephemeral-storage'] ?? 0 };
}

const total = (usages: readonly (DiskUsage | undefined)[]): DiskUsage =>
  usages.reduce<DiskUsage>(
    (sum, usage) => ({ bytes: sum.bytes + (usage?.bytes ?? 0), inodes: sum.inodes + (usage?.inodes ?? 0) }),
    { bytes: 0, inodes: 0 },
  );
