/** What each pod uses of memory, processes and disk, as eviction weighs it. */
import type { Agent } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import type { Logger } from './log.ts';
import type { ContainerUsage, DiskUsage, PodWithUsage } from './node/eviction-rank.ts';
import type { PodWorker } from './pods/worker.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { DiskUsageReader } from './server/stats/disk-usage.ts';
import type { VolumeManager } from './volumes/manager.ts';

export interface PodUsageOptions {
  agent: Agent;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  disk: DiskUsageReader;
  log: Logger;
}

/** Of the pods that still hold something of the node. */
export async function podUsages(
  options: PodUsageOptions,
  signal: AbortSignal,
  matters: (pod: Pod) => boolean,
): Promise<PodWithUsage[]> {
  const running = [...options.agent.workers()].filter(
    (w) => !w.record.ended && w.record.stop === undefined && matters(w.pod),
  );
  const usages = await Promise.allSettled(running.map((worker) => usageOf(worker, options, signal)));
  signal.throwIfAborted();
  // A pod that just went, or whose runtime is down, must not hide what the others use.
  return usages.flatMap((usage) => (usage.status === 'fulfilled' ? [usage.value] : []));
}

async function usageOf(
  { pod, uid, actual, runtime }: PodWorker,
  { cgroups, volumes, disk, log }: PodUsageOptions,
  signal: AbortSignal,
): Promise<PodWithUsage> {
  const cgroup = await cgroups.podStats(uid);
  let isDiskUnknown = false;
  /** A pod whose files cannot be measured is not spared for it. */
  const measured = async (path: string): Promise<DiskUsage | undefined> => {
    try {
      const { usedBytes, inodesUsed } = await disk.of(path, signal);
      return { bytes: usedBytes, inodes: inodesUsed };
    } catch (err) {
      signal.throwIfAborted();
      log.warn({ err, pod: pod.metadata?.name, path }, 'cannot measure what a pod takes of the disk');
      isDiskUnknown = true;
      return undefined;
    }
  };
  const containers = new Map<string, ContainerUsage>();
  const alive = actual.containers.filter((c) => c.state === 'CONTAINER_RUNNING');
  for (const { id, metadata, logPath } of alive) {
    const stats = await runtime.containerStats(id, signal);
    const logs = logPath === '' ? undefined : await measured(logPath);
    containers.set(metadata.name, {
      memoryWorkingSetBytes: stats.memoryWorkingSetBytes,
      ...(stats.rootfsUsedBytes === undefined
        ? {}
        : { rootfs: { bytes: stats.rootfsUsedBytes, inodes: stats.rootfsInodesUsed ?? 0 } }),
      ...(logs === undefined ? {} : { logs }),
    });
  }
  const used = new Map<string, DiskUsage>();
  for (const volume of pod.spec?.volumes ?? []) {
    // What is in memory is counted there, and what is the host's is not the pod's.
    if (volume.hostPath !== undefined || volume.emptyDir?.medium === 'Memory') continue;
    const source = volumes.source(pod, volume.name);
    if (source === undefined) continue;
    const usage = await measured(source.hostPath);
    if (usage !== undefined) used.set(volume.name, usage);
  }
  return {
    pod,
    usage: {
      memoryWorkingSetBytes: cgroup?.memoryWorkingSetBytes,
      processCount: cgroup?.processCount,
      containers,
      volumes: used,
      isDiskUnknown,
    },
  };
}
