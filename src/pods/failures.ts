/** What could not be done for a pod, by container name ('' is the sandbox): it is not tried again before its time. */

import type { Waiting } from './actions.ts';
import type { StartFailure } from './effects/failure.ts';

interface Failure {
  waiting: Waiting;
  count: number;
  /** Monotonic. */
  retryAtMs: number;
}

export class Failures {
  readonly #failed = new Map<string, Failure>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** When another try is due, on the monotonic clock; undefined: at once. */
  retryAtMs(subject: string): number | undefined {
    const failure = this.#failed.get(subject);
    return failure !== undefined && failure.retryAtMs > this.#monotonicMs() ? failure.retryAtMs : undefined;
  }

  add(subject: string, { retryInMs, ...waiting }: StartFailure): void {
    const count = (this.#failed.get(subject)?.count ?? 0) + 1;
    const retryAtMs = this.#monotonicMs() + (retryInMs ?? retryDelayMs(count));
    this.#failed.set(subject, { waiting, count, retryAtMs });
  }

  delete(subject: string): void {
    this.#failed.delete(subject);
  }

  clear(): void {
    this.#failed.clear();
  }

  /** Makes everything due at once, and goes on counting. */
  retryNow(): void {
    for (const failure of this.#failed.values()) failure.retryAtMs = 0;
  }

  waiting(): Map<string, Waiting> {
    return new Map([...this.#failed].map(([name, failure]) => [name, failure.waiting]));
  }

  /** What failed more than once: the first time may be a hiccup. */
  lasting(): Waiting | undefined {
    return [...this.#failed.values()].find(({ count }) => count > 1)?.waiting;
  }
}

/** Doubles from half a second to ten, jittered so that many pods do not come back in step. */
export function retryDelayMs(count: number): number {
  return Math.min(500 * 2 ** (count - 1), 10_000) * (0.8 + Math.random() * 0.4);
}
