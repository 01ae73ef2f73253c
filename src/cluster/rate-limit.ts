/** How fast requests may follow each other (kubeAPIQPS, kubeAPIBurst): the rest wait their turn, in order. */

/** Resolves when the next request may go. Rejects with the signal's reason; the turn is then the next one's. */
export type Turn = (signal: AbortSignal) => Promise<void>;

/** @param burst how many may go at once after a pause */
export function rateLimit(perSecond: number, burst: number): Turn {
  const intervalMs = 1000 / perSecond;
  const waiting = new Set<() => void>();
  // When the bucket would be full again.
  let fullAtMs = Number.NEGATIVE_INFINITY;
  // There while anybody waits.
  let timer: NodeJS.Timeout | undefined;

  const serve = () => {
    timer = undefined;
    for (const go of waiting) {
      const nowMs = performance.now();
      const takenMs = Math.max(fullAtMs, nowMs) + intervalMs;
      const waitMs = takenMs - burst * intervalMs - nowMs;
      if (waitMs > 0) {
        timer = setTimeout(serve, Math.ceil(waitMs));
        return;
      }
      fullAtMs = takenMs;
      waiting.delete(go);
      go();
    }
  };

  return async (signal) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      waiting.delete(resolve);
      if (waiting.size === 0) {
        clearTimeout(timer);
        timer = undefined;
      }
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    waiting.add(resolve);
    if (timer === undefined) serve();
    await promise.finally(() => signal.removeEventListener('abort', giveUp));
  };
}
