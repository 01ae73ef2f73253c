/** What goes on beside the pods' own workers for as long as the agent lives: room, pressure, leftovers, logs. */
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ImageService, Runtime } from '../../runtime/runtime.ts';
import type { Agent } from '../agent.ts';
import type { Pod } from '../api/core.gen.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { EventLog } from '../events/recorder.ts';
import { runHousekeeping } from '../housekeeping.ts';
import { createImageCollector, type ImageCollector } from '../images/gc.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { runEviction } from '../node/eviction-manager.ts';
import { hasDedicatedImageFs, observeMachine } from '../node/machine-stats.ts';
import type { NodeMonitor } from '../node/node.ts';
import type { Paths } from '../paths.ts';
import { podUsages } from '../pod-usage.ts';
import { allContainers } from '../pods/containers.ts';
import { podReference, podUid } from '../pods/identity.ts';
import { type RotatableLog, runLogRotation } from '../pods/log-rotation.ts';
import type { RuntimeWatch } from '../pods/runtime-watch.ts';
import type { RuntimeSet } from '../pods/runtimes.ts';
import type { PodWorker } from '../pods/worker.ts';
import type { CgroupManager } from '../resources/cgroups.ts';
import { diskUsageReader } from '../volumes/disk-usage-reader.ts';
import type { VolumeManager } from '../volumes/manager.ts';

const housekeepingMs = 5000;
const evictionMs = 10_000;
const imageGcMs = 300_000;
const diskUsageMaxAgeMs = 60_000;
const imageDirAnswerMs = 1000;

export interface UpkeepParts {
  agent: Agent;
  node: NodeMonitor;
  runtimes: RuntimeSet;
  watches: readonly RuntimeWatch[];
  paths: Paths;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  events: EventLog;
  metrics: Pick<Metrics, 'count'>;
  /** Every source of pods has spoken and every runtime has been listed. */
  isSettled(): boolean;
  /** Before each round of housekeeping. */
  onRound(): void;
  log: Logger;
}

/** Until the signal aborts. */
export async function runUpkeep(config: AgentConfig, o: UpkeepParts, signal: AbortSignal): Promise<void> {
  const collectors = o.runtimes
    .all()
    .flatMap((runtime) =>
      runtime.images === null ? [] : [imageCollector(config, runtime, runtime.images, o)],
    );
  await Promise.all([
    ...collectors.map((collector) => collector.run(signal)),
    evict(config, o, collectors, signal),
    housekeep(o, signal),
    rotateLogs(config, o, signal),
  ]);
}

async function evict(
  config: AgentConfig,
  { agent, node, runtimes, cgroups, volumes, events, metrics, log }: UpkeepParts,
  collectors: readonly ImageCollector[],
  signal: AbortSignal,
): Promise<void> {
  const disk = diskUsageReader(Date.now, diskUsageMaxAgeMs);
  const imageDirs = imageDirReader(runtimes);
  await runEviction(
    {
      thresholds: config.eviction.thresholds,
      transitionPeriodMs: config.eviction.pressureTransitionPeriodMs,
      maxPodGracePeriodSeconds: config.eviction.maxPodGracePeriodSeconds,
      periodMs: evictionMs,
      observe: async (abort) => {
        const dirs = await imageDirs(abort);
        return {
          observations: await observeMachine(config.rootDir, dirs),
          dedicatedImageFs: await hasDedicatedImageFs(config.rootDir, dirs),
        };
      },
      pods: (abort, matters, needs) =>
        podUsages({ agent, cgroups, volumes, disk, log }, abort, matters, needs),
      reclaim: async (abort) => {
        for (const collector of collectors) await collector.removeUnused(abort);
      },
      evict: async ({ pod, message, gracePeriodSeconds, signal: shortOf, limit = '' }) => {
        events.event(podReference(pod), 'Warning', 'Evicted', message);
        const disruption = shortOf === undefined ? {} : { disruption: message };
        const verdict = { phase: 'Failed' as const, reason: 'Evicted', message, ...disruption };
        metrics.count('kubelet_evictions', { eviction_signal: shortOf ?? limit });
        const eviction = { uid: podUid(pod), verdict, graceSeconds: gracePeriodSeconds };
        await agent.control.evict(eviction, signal);
      },
      onPressures: node.setPressures,
      log,
    },
    signal,
  );
}

async function housekeep(
  { agent, watches, paths, cgroups, volumes, isSettled, onRound, log }: UpkeepParts,
  signal: AbortSignal,
): Promise<void> {
  await runHousekeeping(
    {
      paths,
      cgroups,
      volumes,
      periodMs: housekeepingMs,
      log,
      onRound: () => {
        onRound();
        // Only when everything desired and everything there is known is it known what nobody answers for.
        if (isSettled()) agent.claimOrphans(watches.flatMap((w) => [...w.seen()]));
      },
      isSettled,
      // What a runtime still holds is taken down by a worker first, with its grace.
      isOwned: (uid) => agent.owns(uid) || watches.some((w) => w.holds(uid)),
      pods: () => [...agent.workers()].filter((w) => !w.record.ended).map((w) => w.pod),
    },
    signal,
  );
}

async function rotateLogs(
  config: AgentConfig,
  { agent, log }: UpkeepParts,
  signal: AbortSignal,
): Promise<void> {
  await runLogRotation(
    {
      maxSizeBytes: config.containerLogMaxSizeBytes,
      maxFiles: config.containerLogMaxFiles,
      periodMs: config.containerLogMonitorIntervalMs,
      logs: async () => [...agent.workers()].flatMap(runningLogs),
      now: Date.now,
      log,
    },
    signal,
  );
}

function runningLogs(worker: PodWorker): RotatableLog[] {
  return worker.actual.containers
    .filter((c) => c.state === 'CONTAINER_RUNNING' && c.logPath !== '')
    .map((c) => ({
      containerId: c.id,
      path: c.logPath,
      reopen: (signal) => worker.runtime.reopenContainerLog(c.id, signal),
    }));
}

function imageCollector(
  config: AgentConfig,
  runtime: Runtime,
  images: ImageService,
  { agent, events, metrics, log }: UpkeepParts,
): ImageCollector {
  return createImageCollector({
    policy: {
      highThresholdPercent: config.imageGcHighThresholdPercent,
      lowThresholdPercent: config.imageGcLowThresholdPercent,
      minAgeMs: config.imageMinimumGcAgeMs,
      maxAgeMs: config.imageMaximumGcAgeMs,
      offlineProtection: config.keepAllImages,
    },
    periodMs: imageGcMs,
    images,
    disk: async (signal) => {
      const [filesystem] = await images.imageFsInfo(signal);
      const { blocks, bavail, bsize } = await statfs(filesystem?.mountpoint ?? config.rootDir);
      return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
    },
    // Also of containers that are not ours, and of pods that run none now: they must not have to pull when they do.
    imagesInUse: async (signal) => [
      ...(await runtime.listContainers(undefined, signal)).map((c) => c.imageRef),
      ...[...agent.workers()].filter((w) => !w.record.ended).flatMap((w) => imagesOf(w.pod)),
    ],
    node: { kind: 'Node', namespace: '', name: config.nodeName, uid: config.nodeName },
    events,
    metrics,
    log,
    now: Date.now,
  });
}

const imagesOf = (pod: Pod): string[] =>
  [
    ...allContainers(pod),
    ...(pod.spec?.volumes ?? []).map(({ image }) => ({ image: image?.reference })),
  ].flatMap(({ image }) => image ?? []);

/**
 * Where the runtimes keep images, as they told last. One that does not answer is not waited for: its own condition
 * tells, and a node that is short of memory has to see it all the same.
 */
function imageDirReader(runtimes: RuntimeSet): (signal: AbortSignal) => Promise<string[]> {
  const known = new Map<Runtime, string[]>();
  const asked = new Set<Runtime>();
  const ask = async (runtime: Runtime, signal: AbortSignal): Promise<void> => {
    if (runtime.images === null || asked.has(runtime)) return;
    asked.add(runtime);
    try {
      const infos = await runtime.images.imageFsInfo(signal);
      known.set(
        runtime,
        infos.map(({ mountpoint }) => mountpoint),
      );
    } catch {
      // What was known stays.
    } finally {
      asked.delete(runtime);
    }
  };
  return async (signal) => {
    const answered = new AbortController();
    const answers = Promise.all(runtimes.all().map((runtime) => ask(runtime, signal)));
    const patience = delay(imageDirAnswerMs, undefined, { signal: answered.signal }).catch(() => undefined);
    await Promise.race([answers, patience]);
    answered.abort();
    return [...known.values()].flat();
  };
}
