/**
 * Pulls of images: one at a time or several, never faster than allowed, and one for all who want the same image with
 * the same credentials.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { JoinedRuns } from '../joined-runs.ts';
import { semaphore } from '../semaphore.ts';

export interface PullQueue {
  /** Runs `pull`, or joins the one with the same key. */
  run(key: string, pull: (signal: AbortSignal) => Promise<string>, signal: AbortSignal): Promise<Pulled>;
}

export interface Pulled {
  imageRef: string;
  pullMs: number;
  /** Time before the pull was started. */
  waitedMs: number;
}

export interface PullLimits {
  /** Undefined: no limit. */
  maxParallel: number | undefined;
  /** 0: no limit. */
  perSecond: number;
  burst: number;
}

export function createPullQueue(limits: PullLimits): PullQueue {
  const runs = new JoinedRuns<{ imageRef: string; startedAtMs: number; pullMs: number }>();
  const slot = semaphore(limits.maxParallel ?? Number.POSITIVE_INFINITY);
  const pace = pacer(limits);

  return {
    run: async (key, pull, signal) => {
      const joinedAtMs = performance.now();
      const work = async (shared: AbortSignal) => {
        const release = await slot(shared);
        try {
          await pace(shared);
          const startedAtMs = performance.now();
          const imageRef = await pull(shared);
          return { imageRef, startedAtMs, pullMs: performance.now() - startedAtMs };
        } finally {
          release();
        }
      };
      const { imageRef, startedAtMs, pullMs } = await runs.run(key, work, signal);
      return { imageRef, pullMs, waitedMs: Math.max(startedAtMs - joinedAtMs, 0) };
    },
  };
}

/** Lets a burst through, then waits so that the rate is kept. */
function pacer({ perSecond, burst }: PullLimits): (signal: AbortSignal) => Promise<void> {
  let theoreticalMs = Number.NEGATIVE_INFINITY;
  return async (signal) => {
    if (perSecond <= 0) return;
    const nowMs = performance.now();
    const intervalMs = 1000 / perSecond;
    theoreticalMs = Math.max(theoreticalMs, nowMs - (Math.max(burst, 1) - 1) * intervalMs) + intervalMs;
    const waitMs = theoreticalMs - intervalMs - nowMs;
    if (waitMs > 0) await delay(waitMs, undefined, { signal });
  };
}
