/**
 * Syncs again and again until nothing is left to do, then sleeps until there is news or its time has come. A sync that
 * fails is tried again with back off; one that is interrupted, because something else is wanted, at once.
 */
import { retryDelayMs } from './failures.ts';
import { WakeUp } from './wake-up.ts';

/** What follows a sync: another one, none ever, or one after a time (infinite: when there is news). */
export type Next = 'again' | 'removed' | { wakeInMs: number };

export interface SyncLoopOptions {
  sync(signal: AbortSignal): Promise<Next>;
  onError(err: unknown): void;
  /**
   * What was seen before does not count any more: a sync was cut short, or the time has come to look again.
   * `isResync`: nobody gave a reason to.
   */
  lookAgain(isResync: boolean): void;
  /** How often there is a sync without a reason. */
  resyncMs: number;
}

export class SyncLoop {
  readonly #o: SyncLoopOptions;
  readonly #wakeUp = new WakeUp();
  #underWay: AbortController | undefined;
  #failed = 0;

  constructor(options: SyncLoopOptions) {
    this.#o = options;
  }

  wake(): void {
    this.#wakeUp.wake();
  }

  /** What is under way is not what is wanted any more: it must not delay the next sync. */
  interrupt(): void {
    this.#underWay?.abort(new Interrupted());
    this.wake();
  }

  /** Until a sync says that it was the last, or the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wakeUp.begin();
      this.#underWay = new AbortController();
      let next: Next;
      try {
        next = await this.#o.sync(AbortSignal.any([signal, this.#underWay.signal]));
        this.#failed = 0;
      } catch (err) {
        if (signal.aborted) return;
        this.#o.lookAgain(false);
        if (this.#underWay.signal.aborted) continue;
        this.#failed += 1;
        next = { wakeInMs: retryDelayMs(this.#failed) };
        this.#o.onError(err);
      }
      if (next === 'removed') return;
      if (next !== 'again') await this.#sleep(next.wakeInMs, signal);
    }
  }

  async #sleep(wakeInMs: number, signal: AbortSignal): Promise<void> {
    // Also with nothing to wait for the pod is looked at again; a stepped clock cannot make a wait last for ever.
    const resyncInMs = this.#o.resyncMs * (0.75 + Math.random() / 2);
    const isResync = wakeInMs > resyncInMs;
    const isOver = await this.#wakeUp.sleep(isResync ? resyncInMs : Math.max(wakeInMs, 0), signal);
    if (isOver) this.#o.lookAgain(isResync);
  }
}

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
