/** A bucket of tokens that fills at a steady rate: lets a burst through, then one at a time. */
export interface TokenBucket {
  /** Takes a token if there is one. `nowMs` is monotonic. */
  take(nowMs: number): boolean;
}

export function tokenBucket(burst: number, refillMs: number): TokenBucket {
  let tokens = burst;
  let filledAtMs: number | undefined;
  return {
    take(nowMs) {
      tokens = Math.min(burst, tokens + (nowMs - (filledAtMs ?? nowMs)) / refillMs);
      filledAtMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
