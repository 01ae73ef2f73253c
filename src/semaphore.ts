/**
 * So many at once, the lowest rank first (0 by default), then first come, first served: resolves with what gives the place
 * back, which may be called more than once.
 */
export type Semaphore = (signal: AbortSignal, rank?: number) => Promise<() => void>;

interface Waiter {
  rank: number;
  enter(): void;
}

export function semaphore(size: number): Semaphore {
  let free = size;
  /** In the order in which they go on. */
  const queue: Waiter[] = [];
  const place = () => {
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const next = queue.shift();
      if (next === undefined) free += 1;
      else next.enter();
    };
  };
  return async (signal, rank = 0) => {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return place();
    }
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const enter = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const waiter = { rank, enter };
      signal.addEventListener('abort', abort, { once: true });
      const behind = queue.findIndex((other) => other.rank > rank);
      queue.splice(behind < 0 ? queue.length : behind, 0, waiter);
    });
    return place();
  };
}
