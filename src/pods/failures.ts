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
  #news = 0;
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** When another try is due, on the monotonic clock; undefined: at once. */
  retryAtMs(subject: string): number | undefined {
    const failure = this.#failed.get(subject);
    return failure !== undefined && failure.retryAtMs > this.#monotonicMs() ? failure.retryAtMs : undefined;
  }

  /** How often there were news that made everything due. */
  get news(): number {
    return this.#news;
  }

  /** @param news what it was when the try began: with news since then another one is due at once */
  add(subject: string, { retryInMs, retryAtMostMs, ...waiting }: StartFailure, news: number): void {
    const count = (this.#failed.get(subject)?.count ?? 0) + 1;
    const delayMs = retryInMs ?? retryDelayMs(count, retryAtMostMs);
    const retryAtMs = news === this.#news ? this.#monotonicMs() + delayMs : 0;
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
    this.#news += 1;
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

/** Doubles from half a second to ten, or `mostMs`, jittered so that many pods do not come back in step. */
export function retryDelayMs(count: number, mostMs = 10_000): number {
  return Math.min(500 * 2 ** (count - 1), mostMs) * (0.8 + Math.random() * 0.4);
}
