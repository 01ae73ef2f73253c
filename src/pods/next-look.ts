/** The earliest of the times at which something is to be looked at again. The process does not wait for it. */
import { longestTimerMs } from '../timers.ts';

export class NextLook {
  readonly #look: () => void;
  #next: { timer: NodeJS.Timeout; atMs: number } | undefined;

  constructor(look: () => void) {
    this.#look = look;
  }

  within(wantedMs: number): void {
    const ms = Math.min(wantedMs, longestTimerMs);
    const atMs = performance.now() + ms;
    if (this.#next !== undefined && this.#next.atMs <= atMs) return;
    clearTimeout(this.#next?.timer);
    const timer = setTimeout(() => {
      this.#next = undefined;
      this.#look();
    }, ms);
    this.#next = { timer: timer.unref(), atMs };
  }
}
