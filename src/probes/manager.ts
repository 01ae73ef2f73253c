/** Probes all containers that are tracked and keeps what the probes found, for plan and status to read. */
import type { Pod, Probe } from '../api/core.gen.ts';
import { podUid } from '../pods/identity.ts';
import {
  type ContainerProbes,
  containerProbes,
  type ProbingOptions,
  probeKinds,
  type TrackedContainer,
} from './container-probes.ts';
import type { AttemptCounts, ProbeTally } from './counter.ts';
import type { LatencyCounts, LatencySummary } from './latencies.ts';
import type { ProbeKind, ProbeResult, ProbeResults } from './results.ts';

export interface ProbeManager extends ProbeResults {
  /** Probes a running container. Tracking it again changes nothing. */
  track(container: TrackedContainer): void;
  /** Ends its probes and forgets their results. */
  untrack(containerId: string): void;
  untrackPod(podUid: string): void;
  /** A pod that is to end is not killed by its probes; readiness goes on. */
  stopLivenessAndStartup(podUid: string): void;
  /** Of the attempts that were made; undefined when there is no such probe. */
  latencies(containerId: string, kind: ProbeKind): LatencySummary | undefined;
  /** What every probe has come to so far: for metrics. */
  summaries(): ProbeSummary[];
  /** Tells of limits that are too tight for what was measured, each once. To be called now and then. */
  review(): void;
  /** Ends all probes. */
  [Symbol.dispose](): void;
}

export interface ProbeSummary {
  pod: Pod;
  container: string;
  containerId: string;
  kind: ProbeKind;
  attempts: AttemptCounts;
  latencies: LatencySummary;
  /** Undefined for what is only watched. */
  latencyCounts: ((boundsMs: readonly number[]) => LatencyCounts) | undefined;
  probe: Probe;
  result: ProbeResult;
  tally: ProbeTally;
  /** What the last failure that counted said; '' when there was none. */
  message: string;
}

export function createProbeManager(options: ProbingOptions): ProbeManager {
  const tracked = new Map<string, ContainerProbes>();
  const createdAtMs = Date.now();

  function untrack(containerId: string): void {
    tracked.get(containerId)?.stop();
    tracked.delete(containerId);
  }

  function ofPod(uid: string): [string, ContainerProbes][] {
    return [...tracked].filter(([, probes]) => podUid(probes.target.pod) === uid);
  }

  const worker = (containerId: string, kind: ProbeKind) => tracked.get(containerId)?.workers[kind];

  return {
    track(container) {
      if (tracked.has(container.containerId)) return;
      const probes = containerProbes(container, options, createdAtMs);
      if (probes) tracked.set(container.containerId, probes);
    },
    untrack,
    untrackPod(uid) {
      for (const [containerId] of ofPod(uid)) untrack(containerId);
    },
    stopLivenessAndStartup(uid) {
      for (const [, { workers }] of ofPod(uid)) {
        workers.liveness?.stop();
        workers.startup?.stop();
      }
    },
    get: (containerId, kind) => worker(containerId, kind)?.result,
    message: (containerId, kind) => worker(containerId, kind)?.message ?? '',
    latencies: (containerId, kind) => worker(containerId, kind)?.latencies(),
    summaries: () => [...tracked.values()].flatMap(summariesOf),
    review() {
      for (const probes of tracked.values()) probes.review();
    },
    [Symbol.dispose]() {
      for (const containerId of [...tracked.keys()]) untrack(containerId);
    },
  };
}

function summariesOf({ target, workers }: ContainerProbes): ProbeSummary[] {
  const { pod, container, containerId } = target;
  return probeKinds.flatMap((kind) => {
    const worker = workers[kind];
    const probe = container[`${kind}Probe`];
    if (!worker || !probe) return [];
    return [
      {
        pod,
        container: container.name,
        containerId,
        kind,
        attempts: worker.attempts(),
        latencies: worker.latencies(),
        latencyCounts: worker.latencyCounts,
        probe,
        result: worker.result,
        tally: worker.tally(),
        message: worker.message,
      },
    ];
  });
}
