/** How fast requests may follow each other (kubeAPIQPS, kubeAPIBurst): the rest wait their turn, in order. */
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when the next request may go. Rejects with the signal's reason. */
export type Turn = (signal: AbortSignal) => Promise<void>;

/** @param burst how many may go at once after a pause */
export function rateLimit(perSecond: number, burst: number): Turn {
  const next = turns(perSecond, burst);
  return async (signal) => {
    const waitMs = next(performance.now());
    if (waitMs > 0) await delay(waitMs, undefined, { signal });
  };
}

/** Says of each request how long it has to wait, from the time at which it comes. */
export function turns(perSecond: number, burst: number): (nowMs: number) => number {
  const intervalMs = 1000 / perSecond;
  // When the bucket would be full again.
  let fullAtMs = Number.NEGATIVE_INFINITY;
  return (nowMs) => {
    fullAtMs = Math.max(fullAtMs, nowMs) + intervalMs;
    return Math.max(fullAtMs - burst * intervalMs - nowMs, 0);
  };
}
