/** Timers for any time: one of Node's that is set to more than 25 days fires at once. */

export const longestTimerMs = 2 ** 31 - 1;

/** Calls back after whatever time. Returns what ends the wait. */
export function afterMs(ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const partMs = Math.min(Math.max(leftMs, 0), longestTimerMs);
    timer = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : act()), partMs);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
