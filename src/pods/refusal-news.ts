/**
 * Tells which refusals of a pod are worth an event and a line in the log. What refuses a pod may change with every
 * other pod that comes and goes, there and back again: the same words are told once in a while, and however many
 * different ones there are, only a few in a minute.
 */
import { type TokenBucket, tokenBucket } from '../events/token-bucket.ts';

export interface RefusalNews {
  isNews(text: string): boolean;
}

/**
 * Of one pod, until it is admitted.
 * @param nowMs monotonic
 */
export function refusalNews(nowMs: () => number): RefusalNews {
  const toldMs = new Map<string, number>();
  const bucket: TokenBucket = tokenBucket(burst, refillMs);
  return {
    isNews(text) {
      for (const [told, atMs] of toldMs) if (nowMs() - atMs >= repeatMs) toldMs.delete(told);
      if (toldMs.has(text) || !bucket.take(nowMs())) return false;
      toldMs.set(text, nowMs());
      return true;
    },
  };
}

const repeatMs = 10 * 60_000;
const burst = 5;
const refillMs = 60_000;
