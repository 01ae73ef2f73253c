/**
 * One probe of one container that the ROS 2 bridge watches (`ros2-probe`). Nothing is tried: signs of life come or stay
 * out, and each change is judged at once.
 *
 * - Until the container has given its first sign of life, a failure is one period without it: a node that takes seconds
 *   to start is not held to a deadline of milliseconds. So it is again when the graph could not be seen for a while.
 * - From then on a heartbeat or a liveliness that is missed fails at once, and once more with every further deadline that
 *   passes. What is no matter of a deadline fails at once and then once a period.
 * - While it is being found out whose a sign of life is, nothing fails.
 * - What cannot be told (no transport yet, a container on another ROS domain) changes nothing.
 */
import type { RosFinding, RosProbeSpec, RosWatch } from '../../ros/prober.ts';
import { afterMs } from '../timers.ts';
import { type OutcomeCounterOptions, outcomeCounter } from './counter.ts';
import type { LatencySummary } from './latencies.ts';
import type { ProbeOutcome } from './outcome.ts';
import { defaultPeriodSeconds, type FindExcuse, type ProbeWorker } from './worker.ts';

export interface RosProbeWorkerOptions extends OutcomeCounterOptions {
  spec: RosProbeSpec;
  watch: (onChange: () => void) => RosWatch;
  findExcuse: FindExcuse;
  /** The container ran before this agent, which has yet to find its nodes on the graph. */
  isAdopted: boolean;
}

/** What finding a node on the graph may take, whatever the period. */
const discoveryMs = 5000;

export function rosProbeWorker(options: RosProbeWorkerOptions): ProbeWorker {
  const { probe, spec, findExcuse } = options;
  const periodMs = (probe.periodSeconds ?? defaultPeriodSeconds) * 1000;
  const counter = outcomeCounter(options);
  const stopped = new AbortController();
  let endWait: (() => void) | undefined;
  let watch: RosWatch | undefined;
  let hasLived = false;
  /** The present miss was judged, whatever came of it: further judgements of it come at its pace, not with events. */
  let isMissKnown = false;
  let isUnknown = false;
  let isJudging = false;
  /** The gaps between signs of life stay known after the end. */
  let gaps: LatencySummary | undefined;

  const paceMs = () => (hasLived ? (deadlineMs(spec) ?? periodMs) : periodMs);

  function begin(): void {
    watch = options.watch(() => look(false));
    // Also what cannot live yet is given its first period.
    const { state, isPassing } = watch.check();
    if (state === 'missed' || isPassing)
      schedule(options.isAdopted ? Math.max(periodMs, discoveryMs) : periodMs);
    else look(false);
  }

  function look(isDue: boolean): void {
    judge(isDue).catch((error: unknown) => {
      if (stopped.signal.aborted) return;
      counter.addUnknown(error);
      schedule(periodMs);
    });
  }

  /** @param isDue the pace has passed since the last judgement */
  async function judge(isDue: boolean): Promise<void> {
    const finding = watch?.check();
    if (finding === undefined || isJudging) return;
    if (finding.state === 'alive') {
      hasLived = true;
      isUnknown = false;
      if (isDue || isMissKnown || counter.last !== 'success') counter.add(outcomeOf(finding));
      isMissKnown = false;
      // Events tell when that ends; only a threshold of more than one needs more of the same.
      if (counter.result !== 'success') schedule(periodMs);
      else unschedule();
    } else if (finding.isPassing) {
      // It is no event when that ends without a sign of life.
      schedule(paceMs());
    } else if (finding.state === 'unknown') {
      if (isDue || !isUnknown) counter.addUnknown(new Error(finding.message));
      isUnknown = true;
      schedule(periodMs);
    } else if (isUnknown) {
      // Who can watch again has found nothing on the graph yet, and no deadline runs before it has.
      isUnknown = false;
      hasLived = false;
      schedule(Math.max(periodMs, discoveryMs));
    } else if (isDue || (hasLived && !isMissKnown)) {
      await fail(finding);
    } else if (endWait === undefined) schedule(paceMs());
  }

  async function fail(finding: RosFinding): Promise<void> {
    const outcome = outcomeOf(finding);
    const { unheard, excuse } = await lookForReason(outcome);
    if (stopped.signal.aborted) return;
    // Looking for an excuse takes a moment, in which the sign of life may have come.
    if (watch?.check().state !== 'missed') return judge(false);
    isMissKnown = true;
    if (unheard !== undefined) {
      counter.addUnknown(new Error(`${finding.message}; ${unheard}`));
      schedule(periodMs);
      return;
    }
    if (excuse === undefined) counter.add(outcome);
    else counter.addExcused(outcome, excuse);
    if (counter.result !== 'failure' || excuse !== undefined) schedule(paceMs());
    else unschedule();
  }

  /** Why the failure says nothing about the container, or is not its own. */
  async function lookForReason(outcome: ProbeOutcome): Promise<{ unheard?: string; excuse?: string }> {
    isJudging = true;
    try {
      const unheard = hasLived ? undefined : await watch?.whyUnheard();
      if (unheard !== undefined || !counter.mayExcuse()) return { unheard };
      return { excuse: await findExcuse(outcome, stopped.signal) };
    } finally {
      isJudging = false;
    }
  }

  function unschedule(): void {
    endWait?.();
    endWait = undefined;
  }

  function schedule(delayMs: number): void {
    unschedule();
    if (stopped.signal.aborted) return;
    endWait = afterMs(delayMs, () => {
      endWait = undefined;
      look(true);
    });
  }

  return {
    get result() {
      return counter.result;
    },
    get message() {
      return counter.message;
    },
    latencies: () => watch?.gaps() ?? gaps ?? { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 },
    attempts: counter.attempts,
    tally() {
      // Signs of life are judged only where they change something: the last one is newer than the last judgement.
      const lastSuccessMs = watch?.check().lastMs;
      return { ...counter.tally(), ...(lastSuccessMs === undefined ? {} : { lastSuccessMs }) };
    },
    start(delayMs) {
      endWait = afterMs(delayMs, () => {
        endWait = undefined;
        begin();
      });
    },
    stop() {
      unschedule();
      stopped.abort(new Error('the probe was stopped'));
      try {
        gaps = watch?.gaps();
      } catch (error) {
        options.onError(error);
      } finally {
        watch?.close();
        watch = undefined;
      }
    },
  };
}

/** Within which signs of life have to follow each other; undefined for what is a state. */
export function deadlineMs(spec: RosProbeSpec): number | undefined {
  if (spec.kind === 'heartbeat') return spec.deadlineMs;
  return spec.kind === 'liveliness' ? spec.leaseMs : undefined;
}

const outcomeOf = ({ state, message }: RosFinding) => ({
  result: state === 'missed' ? ('failure' as const) : ('success' as const),
  output: message,
  // A sign that did not come in time: a machine that is too busy can be why.
  ...(state === 'missed' ? { timedOut: true } : {}),
});
