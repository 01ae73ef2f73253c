/**
 * One probe of one container that is tried again and again, as the kubelet's probe worker.
 *
 * - At most one attempt runs at a time; the next starts a period after the last one started.
 * - An attempt that could not be made changes nothing.
 * - All times are monotonic: a step of the wall clock moves nothing.
 */

import { afterMs } from '../timers.ts';
import {
  type AttemptCounts,
  type OutcomeCounterOptions,
  outcomeCounter,
  type ProbeTally,
} from './counter.ts';
import { type LatencyCounts, type LatencySummary, latencies } from './latencies.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';
import type { ProbeResult } from './results.ts';

export interface ProbeWorker {
  readonly result: ProbeResult;
  /** What the last failure that counted said; '' when there was none. */
  readonly message: string;
  /** Of attempts that came to an answer in time. */
  latencies(): LatencySummary;
  /** Of the successful among them, by bounds; not of what is only watched. */
  latencyCounts?(boundsMs: readonly number[]): LatencyCounts;
  attempts(): AttemptCounts;
  tally(): ProbeTally;
  /** Begins to probe. */
  start(delayMs: number): void;
  /** Ends probing, an attempt under way included. The result stays. */
  stop(): void;
}

/** Why a failure may be the machine's and not the container's; undefined when nothing speaks for it. */
export type FindExcuse = (outcome: ProbeOutcome, signal: AbortSignal) => Promise<string | undefined>;

export interface ProbeWorkerOptions extends OutcomeCounterOptions {
  attempt: (options: AttemptOptions) => Promise<ProbeOutcome>;
  findExcuse: FindExcuse;
}

export function probeWorker(options: ProbeWorkerOptions): ProbeWorker {
  const { probe, attempt, findExcuse } = options;
  const periodMs = (probe.periodSeconds ?? defaultPeriodSeconds) * 1000;
  const timeoutMs = (probe.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
  const counter = outcomeCounter(options);
  const times = latencies();
  const successTimes = latencies();
  const stopped = new AbortController();
  let endWait: (() => void) | undefined;

  async function run(): Promise<void> {
    const startedMs = performance.now();
    try {
      const outcome = await attempt({ timeoutMs, signal: stopped.signal });
      const tookMs = performance.now() - startedMs;
      if (!outcome.timedOut) times.record(tookMs);
      if (outcome.result === 'success') successTimes.record(tookMs);
      const isExcusable = outcome.result === 'failure' && counter.mayExcuse();
      const excuse = isExcusable ? await findExcuse(outcome, stopped.signal) : undefined;
      if (stopped.signal.aborted) return;
      if (excuse === undefined) counter.add(outcome);
      else counter.addExcused(outcome, excuse);
    } catch (error) {
      if (stopped.signal.aborted) return;
      counter.addUnknown(error);
    }
    if (!stopped.signal.aborted) schedule(startedMs + periodMs - performance.now());
  }

  function schedule(delayMs: number): void {
    endWait = afterMs(delayMs, () => void run());
  }

  return {
    get result() {
      return counter.result;
    },
    get message() {
      return counter.message;
    },
    latencies: times.summary,
    latencyCounts: successTimes.counts,
    attempts: counter.attempts,
    tally: counter.tally,
    start: schedule,
    stop() {
      endWait?.();
      stopped.abort(new Error('the probe was stopped'));
    },
  };
}

export const defaultPeriodSeconds = 10;
export const defaultTimeoutSeconds = 1;
