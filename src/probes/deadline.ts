import { longestTimerMs } from '../timers.ts';

/**
 * The time that an attempt has. When this process itself was held up, and so could not see an answer that may have
 * been there all the time, the attempt gets that time again, once: a busy agent must not fail healthy containers.
 */
export interface Deadline {
  /** The attempt has ended: nothing is called back any more. */
  clear(): void;
}

export function startDeadline(wantedMs: number, onTimeout: () => void): Deadline {
  const timeoutMs = Math.min(wantedMs, longestTimerMs);
  const dueMs = performance.now() + timeoutMs;
  let timer = setTimeout(() => {
    const lateMs = performance.now() - dueMs;
    if (lateMs < toleratedLatenessMs) onTimeout();
    else timer = setTimeout(onTimeout, Math.min(lateMs, timeoutMs));
  }, timeoutMs);
  return { clear: () => clearTimeout(timer) };
}

const toleratedLatenessMs = 20;
