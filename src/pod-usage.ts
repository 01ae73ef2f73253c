/** What each pod uses of memory, processes and disk, as eviction weighs it. */
import { dirname } from 'node:path';
import type { Agent } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import type { Logger } from './log.ts';
import type { ContainerUsage, DiskUsage, PodWithUsage } from './node/eviction-rank.ts';
import type { PodWorker } from './pods/worker.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { DiskUsageReader } from './volumes/disk-usage-reader.ts';
import type { VolumeManager } from './volumes/manager.ts';
import { isEphemeral } from './volumes/volume.ts';

export interface PodUsageOptions {
  agent: Agent;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  disk: DiskUsageReader;
  log: Logger;
}

/** A runtime that takes longer has nothing to say: a node that is short of memory cannot wait for it. */
const statsAnswerMs = 5000;

/**
 * Of the pods that still hold something of the node.
 * @param needs what of their use is asked for: to measure files takes long
 */
export async function podUsages(
  options: PodUsageOptions,
  signal: AbortSignal,
  matters: (pod: Pod) => boolean,
  needs: { disk: boolean },
): Promise<PodWithUsage[]> {
  const running = [...options.agent.workers()].filter(
    (w) => !w.record.ended && w.record.stop === undefined && matters(w.pod),
  );
  const usages = await Promise.allSettled(running.map((worker) => usageOf(worker, options, needs, signal)));
  signal.throwIfAborted();
  // A pod that just went, or whose runtime is down, must not hide what the others use.
  return usages.flatMap((usage) => (usage.status === 'fulfilled' ? [usage.value] : []));
}

async function usageOf(
  { pod, uid, actual, runtime }: PodWorker,
  { cgroups, volumes, disk, log }: PodUsageOptions,
  needs: { disk: boolean },
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
  const answer = AbortSignal.any([signal, AbortSignal.timeout(statsAnswerMs)]);
  const measureContainer = async ({ id, metadata, logPath }: (typeof alive)[number]): Promise<void> => {
    // One that just went, or whose runtime does not answer, does not hide what the others use.
    const stats = await runtime.containerStats(id, answer).catch(() => undefined);
    // With what was rotated away, and what instances before this one wrote.
    const logs = logPath === '' || !needs.disk ? undefined : await measured(dirname(logPath));
    containers.set(metadata.name, {
      ...(stats === undefined ? {} : { memoryWorkingSetBytes: stats.memoryWorkingSetBytes }),
      ...(stats?.rootfsUsedBytes === undefined
        ? {}
        : { rootfs: { bytes: stats.rootfsUsedBytes, inodes: stats.rootfsInodesUsed ?? 0 } }),
      ...(logs === undefined ? {} : { logs }),
    });
  };
  await Promise.all(alive.map(measureContainer));
  const used = new Map<string, DiskUsage>();
  for (const volume of needs.disk ? (pod.spec?.volumes ?? []) : []) {
    if (!isEphemeral(volume)) continue;
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
