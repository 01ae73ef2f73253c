/**
 * Pulls of images: one at a time or several, never faster than allowed, and one for all who want the same image with
 * the same credentials. A pull goes on as long as anyone waits for it.
 */
import { setTimeout as delay } from 'node:timers/promises';
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
  const running = new Map<string, SharedPull>();
  const slot = semaphore(limits.maxParallel ?? Number.POSITIVE_INFINITY);
  const pace = pacer(limits);

  const start = (key: string, pull: (signal: AbortSignal) => Promise<string>): SharedPull => {
    const controller = new AbortController();
    const work = async () => {
      const release = await slot(controller.signal);
      try {
        await pace(controller.signal);
        const startedAtMs = performance.now();
        const imageRef = await pull(controller.signal);
        return { imageRef, startedAtMs, pullMs: performance.now() - startedAtMs };
      } finally {
        release();
        running.delete(key);
      }
    };
    const shared = { controller, waiters: 0, result: work() };
    running.set(key, shared);
    return shared;
  };

  return {
    run: async (key, pull, signal) => {
      signal.throwIfAborted();
      const joinedAtMs = performance.now();
      const shared = running.get(key) ?? start(key, pull);
      shared.waiters += 1;
      try {
        const { imageRef, startedAtMs, pullMs } = await untilAborted(shared.result, signal);
        return { imageRef, pullMs, waitedMs: Math.max(startedAtMs - joinedAtMs, 0) };
      } finally {
        shared.waiters -= 1;
        if (shared.waiters === 0) {
          if (running.get(key) === shared) running.delete(key);
          shared.controller.abort();
        }
      }
    },
  };
}

interface SharedPull {
  controller: AbortController;
  waiters: number;
  result: Promise<{ imageRef: string; startedAtMs: number; pullMs: number }>;
}

function untilAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
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
