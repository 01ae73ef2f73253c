/**
 * When a static pod that was evicted may come back: after a pause that doubles while it is evicted again and again,
 * because what it used it may use again, and that starts over once it ran for long. As with crashing containers.
 */
import { defaultBackoff } from './backoff.ts';

export interface ComeBack {
  /** The pod is down, which may be told again and again. Returns when it may come back. */
  downUntilMs(): number;
  cameBack(): void;
}

/** @param nowMs monotonic */
export function comeBack(nowMs: () => number): ComeBack {
  let untilMs: number | undefined;
  let pauseMs = 0;
  let backMs = 0;
  return {
    downUntilMs() {
      if (untilMs !== undefined) return untilMs;
      const startsOver = pauseMs === 0 || nowMs() - backMs >= resetMs;
      pauseMs = startsOver ? defaultBackoff.initialMs : Math.min(pauseMs * 2, defaultBackoff.maxMs);
      untilMs = nowMs() + pauseMs;
      return untilMs;
    },
    cameBack() {
      untilMs = undefined;
      backMs = nowMs();
    },
  };
}

const resetMs = 600_000;
