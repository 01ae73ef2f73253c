/** Ends a streaming connection on which neither side has said anything for a while; pings do not count. */

import { longestTimerMs } from '../../timers.ts';

export interface IdleLimit {
  /** Something was said. */
  touch(): void;
  stop(): void;
}

/** @param ms 0: no limit */
export function idleLimit(ms: number, end: () => void): IdleLimit {
  if (ms <= 0) return { touch: () => undefined, stop: () => undefined };
  const timer = setTimeout(end, Math.min(ms, longestTimerMs));
  return {
    touch: () => void timer.refresh(),
    stop: () => clearTimeout(timer),
  };
}
