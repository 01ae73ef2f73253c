/**
 * One probe of one container: when it is tried next and what its attempts add up to, as the kubelet's probe worker.
 *
 * - At most one attempt runs at a time; the next starts a period after the last one started.
 * - A result changes after failureThreshold or successThreshold equal attempts in a row.
 * - An attempt that could not be made changes nothing.
 * - All times are monotonic: a step of the wall clock moves nothing.
 */
import type { Probe } from '../api/core.gen.ts';
import type { AttemptOptions, ProbeOutcome } from './handler.ts';
import { type LatencySummary, latencies } from './latencies.ts';
import type { ProbeResult } from './results.ts';

export interface ProbeWorker {
  readonly result: ProbeResult;
  /** What the last failed attempt said; '' when none has failed. */
  readonly message: string;
  latencies(): LatencySummary;
  attempts(): AttemptCounts;
  /** Begins to probe. */
  start(delayMs: number): void;
  /** Ends probing, an attempt under way included. The result stays. */
  stop(): void;
}

/** `unknown`: the attempt could not be made. */
export type AttemptCounts = Readonly<Record<'successful' | 'failed' | 'unknown', number>>;

export interface ProbeWorkerOptions {
  probe: Probe;
  initial: ProbeResult;
  attempt: (options: AttemptOptions) => Promise<ProbeOutcome>;
  onOutcome: (outcome: ProbeOutcome) => void;
  /** The attempt could not be made. */
  onError: (error: unknown) => void;
  /** The result is another one than before. */
  onChange: (result: ProbeResult) => void;
}

export function probeWorker(options: ProbeWorkerOptions): ProbeWorker {
  const { probe, initial, attempt, onOutcome, onError, onChange } = options;
  const periodMs = (probe.periodSeconds ?? defaultPeriodSeconds) * 1000;
  const timeoutMs = (probe.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
  const thresholds = {
    success: probe.successThreshold ?? defaultSuccessThreshold,
    failure: probe.failureThreshold ?? defaultFailureThreshold,
  };
  const times = latencies();
  const attempts = { successful: 0, failed: 0, unknown: 0 };
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let result = initial;
  let message = '';
  let lastOutcome: 'success' | 'failure' | undefined;
  let equalOutcomes = 0;

  async function run(): Promise<void> {
    const startedMs = performance.now();
    try {
      const outcome = await attempt({ timeoutMs, signal: stopped.signal });
      if (stopped.signal.aborted) return;
      times.record(performance.now() - startedMs);
      count(outcome);
    } catch (error) {
      if (stopped.signal.aborted) return;
      attempts.unknown += 1;
      onError(error);
    }
    if (!stopped.signal.aborted) schedule(startedMs + periodMs - performance.now());
  }

  function count(outcome: ProbeOutcome): void {
    const counted = outcome.result === 'failure' ? 'failure' : 'success';
    attempts[counted === 'success' ? 'successful' : 'failed'] += 1;
    if (counted === 'failure') message = outcome.output;
    onOutcome(outcome);
    equalOutcomes = counted === lastOutcome ? equalOutcomes + 1 : 1;
    lastOutcome = counted;
    if (equalOutcomes < thresholds[counted] || counted === result) return;
    result = counted;
    onChange(result);
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(() => void run(), Math.max(0, delayMs));
  }

  return {
    get result() {
      return result;
    },
    get message() {
      return message;
    },
    latencies: times.summary,
    attempts: () => ({ ...attempts }),
    start: schedule,
    stop() {
      clearTimeout(timer);
      stopped.abort(new Error('the probe was stopped'));
    },
  };
}

const defaultPeriodSeconds = 10;
const defaultTimeoutSeconds = 1;
const defaultSuccessThreshold = 1;
const defaultFailureThreshold = 3;
