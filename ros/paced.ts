/**
 * Does what is asked for at once when it was quiet before; what is asked for while it rests from that is done once, when the
 * rest is over. The rest grows with what it costs, so that it never takes more than a tenth of a processor.
 */
export class Paced {
  readonly #act: () => void;
  readonly #restMs: number;
  #isAsked = false;
  #isClosed = false;
  #soon: NodeJS.Immediate | undefined;
  #rest: NodeJS.Timeout | undefined;

  /** `restMs`: the shortest rest. */
  constructor(act: () => void, restMs: number) {
    this.#act = act;
    this.#restMs = restMs;
  }

  /** What is asked for in one turn of the event loop is done once. */
  ask(): void {
    if (this.#isClosed) return;
    this.#isAsked = true;
    if (this.#rest === undefined) this.#soon ??= setImmediate(() => this.#run());
  }

  /** Also what is asked for later is not done any more. */
  close(): void {
    this.#isClosed = true;
    clearImmediate(this.#soon);
    clearTimeout(this.#rest);
  }

  #run(): void {
    this.#soon = undefined;
    this.#isAsked = false;
    const fromMs = performance.now();
    this.#act();
    const restMs = Math.max(this.#restMs, 9 * (performance.now() - fromMs));
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (this.#isAsked) this.#run();
    }, restMs);
  }
}
