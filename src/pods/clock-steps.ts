/** Tells by how much the wall clock was set, by the monotonic clock, which nobody sets. */

/** Smaller differences between the clocks are drift or a busy machine. */
const clockStepMs = 5000;

export class ClockSteps {
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  #aheadMs: number;

  constructor(wallMs: () => number, monotonicMs: () => number) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#aheadMs = wallMs() - monotonicMs();
  }

  /** Since the last question; 0 when it was not set. */
  take(): number {
    const aheadMs = this.#wallMs() - this.#monotonicMs();
    const stepMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    return Math.abs(stepMs) <= clockStepMs ? 0 : stepMs;
  }
}
