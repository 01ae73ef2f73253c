/**
 * The probes of one container: which of them run when, and what is told of their outcomes.
 *
 * - A startup probe comes first: liveness and readiness wait until it has succeeded, then it ends.
 * - A failed liveness or startup probe is told once and rests: the container is to be replaced by a new one.
 * - A new container is not ready until its readiness probe says so. One that was running before this agent started
 *   keeps the readiness it had: unknown is not false. Its probes start at a random time within their period, so that
 *   a restarted agent does not try them all at once.
 * - A failure for which the machine is to blame is told but not counted; a limit that healthy containers come near is
 *   told, before it kills one.
 */
import type { RosProber, RosProbeTarget } from '../../ros/prober.ts';
import type { Pod, Probe } from '../api/core.gen.ts';
import { formatDuration } from '../config/duration.ts';
import { messageOf } from '../error-message.ts';
import { containerReference } from '../events/reference.ts';
import type { EventRecorder } from '../events.ts';
import type { Logger } from '../log.ts';
import type { Interruptions } from '../node/interruptions.ts';
import { type AnyContainer, podKey, podUid } from '../pods/identity.ts';
import { attemptProbe, type ProbeTarget } from './handler.ts';
import type { LatencySummary } from './latencies.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { ProbeKind, ProbeResult } from './results.ts';
import { isRosProbe, parseRosProbe } from './ros-spec.ts';
import { deadlineMs, rosProbeWorker } from './ros-worker.ts';
import { findStarvation } from './starvation.ts';
import { defaultTimeoutSeconds, type FindExcuse, type ProbeWorker, probeWorker } from './worker.ts';

export interface TrackedContainer extends ProbeTarget {
  pod: Pod;
  container: AnyContainer;
  containerId: string;
  /** Whose signs of life on the ROS graph count, and whose threads may lack CPU: the pod's. */
  ros: RosProbeTarget;
  /** Wall clock. */
  startedAtMs: number;
  /** Given for a container that ran before this agent: what its status said last. */
  restored?: { ready?: boolean; started?: boolean };
}

export interface ProbingOptions {
  log: Logger;
  events: EventRecorder;
  ros: RosProber;
  interruptions: Pick<Interruptions, 'recent'>;
  /** A result of one of the pod's containers is another one than before. */
  onResult: (podUid: string) => void;
}

type Workers = Partial<Record<ProbeKind, ProbeWorker>>;

export interface ContainerProbes {
  target: TrackedContainer;
  workers: Workers;
  review(): void;
  stop(): void;
}

/** Undefined when the container has no probes. */
export function containerProbes(
  target: TrackedContainer,
  { log, events, interruptions, onResult, ros }: ProbingOptions,
  agentStartedAtMs: number,
): ContainerProbes | undefined {
  const { pod, container, restored } = target;
  if (!probeKinds.some((kind) => container[`${kind}Probe`])) return undefined;
  const about = containerReference(pod, container);
  const probeLog = log.child({ pod: podKey(pod), container: container.name });
  // The age of the container now, once: afterwards only the monotonic clock counts.
  const startedMs = performance.now() - Math.max(0, Date.now() - target.startedAtMs);
  const workers: Workers = {};

  /** `spread`: at a random time within the period instead of at once. */
  function start(started: readonly ProbeKind[], spread: boolean): void {
    for (const kind of started) {
      const { initialDelaySeconds = 0, periodSeconds = 0 } = container[`${kind}Probe`] ?? {};
      const delayMs = startedMs + initialDelaySeconds * 1000 - performance.now();
      // What is only watched costs nothing at once.
      const isSpread = spread && !isRosProbe(container[`${kind}Probe`]?.exec);
      const spreadMs = isSpread ? Math.random() * periodSeconds * 1000 : 0;
      workers[kind]?.start(Math.max(0, delayMs) + spreadMs);
    }
  }

  function changed(kind: ProbeKind, result: ProbeResult): void {
    probeLog.info({ probe: kind, result }, `${kind} probe: ${result}`);
    const isFinal = kind === 'startup' || (kind === 'liveness' && result === 'failure');
    if (isFinal) workers[kind]?.stop();
    if (kind === 'startup' && result === 'success') start(afterStartup, false);
    onResult(podUid(pod));
  }

  function tell(kind: ProbeKind, { result, output }: ProbeOutcome): void {
    if (result === 'failure') {
      events.event(about, 'Warning', 'Unhealthy', `${titles[kind]} probe failed: ${output}`);
    } else if (result === 'warning') {
      events.event(about, 'Warning', 'ProbeWarning', `${titles[kind]} probe warning: ${output}`);
    }
  }

  function tellError(kind: ProbeKind, err: unknown): void {
    const text = messageOf(err);
    const message = `${titles[kind]} probe errored and resulted in unknown state: ${text}`;
    events.event(about, 'Warning', 'Unhealthy', message);
    probeLog.debug({ probe: kind, err }, message);
  }

  function tellExcused(kind: ProbeKind, { output }: ProbeOutcome, excuse: string): void {
    const message = `${titles[kind]} probe failed, which is not counted as ${excuse}: ${output}`;
    events.event(about, 'Warning', 'ProbeExcused', message);
    probeLog.warn({ probe: kind }, message);
  }

  const findExcuse: FindExcuse = async ({ timedOut }, signal) => {
    const interruption = interruptions.recent();
    if (interruption !== undefined || !timedOut) return interruption;
    try {
      return await findStarvation(await target.ros.pids(), signal);
    } catch (err) {
      // Whoever cannot be looked at is not excused.
      probeLog.debug({ err }, 'cannot tell whether the processes of the pod lack CPU');
      return undefined;
    }
  };

  for (const kind of probeKinds) {
    const probe = container[`${kind}Probe`];
    if (!probe) continue;
    const options = {
      probe,
      initial: initialResult(kind, restored),
      findExcuse,
      onOutcome: (outcome: ProbeOutcome) => tell(kind, outcome),
      onExcused: (outcome: ProbeOutcome, excuse: string) => tellExcused(kind, outcome, excuse),
      onError: (error: unknown) => tellError(kind, error),
      onChange: (result: ProbeResult) => changed(kind, result),
    };
    if (isRosProbe(probe.exec)) {
      const spec = parseRosProbe(probe.exec.command);
      workers[kind] = rosProbeWorker({
        ...options,
        spec,
        isAdopted: restored !== undefined,
        watch: (onChange) => ros.watch(spec, target.ros, onChange),
      });
    } else {
      workers[kind] = probeWorker({
        ...options,
        attempt: (attempt) => attemptProbe(probe, target, attempt),
      });
    }
  }

  const reviewed = new Set<ProbeKind>();
  function review(): void {
    for (const kind of probeKinds) {
      const probe = container[`${kind}Probe`];
      const worker = workers[kind];
      const problem = probe && worker && !reviewed.has(kind) && tooTight(probe, worker.latencies());
      if (!problem) continue;
      reviewed.add(kind);
      events.event(about, 'Warning', 'ProbeMisconfigured', `${titles[kind]} probe: ${problem}`);
    }
  }
  const hasStarted = !workers.startup || workers.startup.result === 'success';
  start(hasStarted ? afterStartup : ['startup'], target.startedAtMs < agentStartedAtMs);
  return {
    target,
    workers,
    review,
    stop: () => {
      for (const worker of Object.values(workers)) worker.stop();
    },
  };
}

const afterStartup: readonly ProbeKind[] = ['liveness', 'readiness'];
export const probeKinds: readonly ProbeKind[] = ['startup', ...afterStartup];

const titles: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};

/** A limit under twice of what 99 of 100 need fails a healthy container in a busy moment. */
function tooTight(probe: Probe, { count, p99Ms }: LatencySummary): string | undefined {
  const isRos = isRosProbe(probe.exec);
  const limitMs = isRos
    ? deadlineMs(parseRosProbe(probe.exec!.command!))
    : (probe.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
  if (limitMs === undefined || count < enoughToJudge || limitMs >= 2 * p99Ms) return undefined;
  const [limit, what] = isRos
    ? [`${formatDuration(limitMs)}`, 'signs of life come up to']
    : [`timeoutSeconds ${limitMs / 1000}`, 'healthy answers take up to'];
  const neededMs = Math.ceil(2 * p99Ms);
  return (
    `${limit} is too tight, as ${what} ${formatDuration(Math.round(p99Ms))} (99th percentile of ${count}): ` +
    `a busy moment would fail a healthy container. Set it to ${formatDuration(isRos ? neededMs : Math.ceil(neededMs / 1000) * 1000)} or more`
  );
}

const enoughToJudge = 30;

function initialResult(kind: ProbeKind, restored: TrackedContainer['restored']): ProbeResult {
  switch (kind) {
    case 'startup':
      return restored?.started ? 'success' : 'unknown';
    case 'liveness':
      return 'unknown';
    case 'readiness':
      if (restored?.ready !== undefined) return restored.ready ? 'success' : 'failure';
      return restored ? 'unknown' : 'failure';
  }
}
