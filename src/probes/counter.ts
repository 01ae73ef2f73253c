/**
 * What the outcomes of one probe add up to: its result changes after failureThreshold or successThreshold equal outcomes
 * in a row, as in the kubelet. A failure that has an excuse is told but not counted, so that a machine that is itself in
 * trouble does not kill what is healthy; only so many in a row, as what is broken must not hide behind a busy machine.
 */
import type { Probe } from '../api/core.gen.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { ProbeResult } from './results.ts';

/** `unknown`: nothing could be found out, or the failure was excused. */
export type AttemptCounts = Readonly<Record<'successful' | 'failed' | 'unknown', number>>;

/** How the last outcomes that counted went. */
export interface ProbeTally {
  /** The kind of the last one; undefined before the first. */
  last: 'success' | 'failure' | undefined;
  /** How many of that kind came in a row. */
  inARow: number;
  /** When the last of each kind came, on the monotonic clock. */
  lastSuccessMs?: number;
  lastFailureMs?: number;
}

export interface OutcomeCounter {
  readonly result: ProbeResult;
  /** What the last failure that counted said; '' when there was none. */
  readonly message: string;
  /** The kind of the last outcome that counted; undefined before the first. */
  readonly last: 'success' | 'failure' | undefined;
  attempts(): AttemptCounts;
  tally(): ProbeTally;
  /** Whether one more failure may be excused. */
  mayExcuse(): boolean;
  add(outcome: ProbeOutcome): void;
  addExcused(outcome: ProbeOutcome, excuse: string): void;
  addUnknown(error: unknown): void;
}

export interface OutcomeCounterOptions {
  probe: Probe;
  initial: ProbeResult;
  onOutcome: (outcome: ProbeOutcome) => void;
  /** The failure is not counted, and why. */
  onExcused: (outcome: ProbeOutcome, excuse: string) => void;
  /** Nothing could be found out. */
  onError: (error: unknown) => void;
  /** The result is another one than before. */
  onChange: (result: ProbeResult) => void;
}

export function outcomeCounter(options: OutcomeCounterOptions): OutcomeCounter {
  const { probe, onOutcome, onExcused, onError, onChange } = options;
  const thresholds = {
    success: probe.successThreshold ?? defaultSuccessThreshold,
    failure: probe.failureThreshold ?? defaultFailureThreshold,
  };
  const attempts = { successful: 0, failed: 0, unknown: 0 };
  let result = options.initial;
  let message = '';
  let last: 'success' | 'failure' | undefined;
  let inARow = 0;
  const lastMs: Pick<ProbeTally, 'lastSuccessMs' | 'lastFailureMs'> = {};
  let excused = 0;

  return {
    get result() {
      return result;
    },
    get message() {
      return message;
    },
    get last() {
      return last;
    },
    attempts: () => ({ ...attempts }),
    tally: () => ({ last, inARow, ...lastMs }),
    mayExcuse: () => excused < thresholds.failure,
    add(outcome) {
      const counted = outcome.result === 'failure' ? 'failure' : 'success';
      attempts[counted === 'success' ? 'successful' : 'failed'] += 1;
      if (counted === 'failure') message = outcome.output;
      else excused = 0;
      lastMs[counted === 'success' ? 'lastSuccessMs' : 'lastFailureMs'] = performance.now();
      onOutcome(outcome);
      inARow = counted === last ? inARow + 1 : 1;
      last = counted;
      if (inARow < thresholds[counted] || counted === result) return;
      result = counted;
      onChange(result);
    },
    addExcused(outcome, excuse) {
      excused += 1;
      attempts.unknown += 1;
      onExcused(outcome, excuse);
    },
    addUnknown(error) {
      attempts.unknown += 1;
      onError(error);
    },
  };
}

const defaultSuccessThreshold = 1;
const defaultFailureThreshold = 3;
