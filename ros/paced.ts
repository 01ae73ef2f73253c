/**
 * Does what is asked for at once when it was quiet before; what is asked for while it rests from that is done once, when the
 * rest is over. The rest grows with what it costs, so that it never takes more than a tenth of a processor. The cost is CPU
 * time: on a busy machine, where the process has to wait for its turn, there is no reason to rest from that, too.
 */
export class Paced {
  readonly #act: () => void;
  readonly #restMs: number;
  readonly #cpuMs: () => number;
  #isAsked = false;
  #isActing = false;
  #isClosed = false;
  #soon: NodeJS.Immediate | undefined;
  #rest: NodeJS.Timeout | undefined;

  /**
   * @param restMs the shortest rest
   * @param cpuMs what the process has used
   */
  constructor(act: () => void, restMs: number, cpuMs: () => number = processCpuMs) {
    this.#act = act;
    this.#restMs = restMs;
    this.#cpuMs = cpuMs;
  }

  /** What is asked for in one turn of the event loop is done once. */
  ask(): void {
    if (this.#isClosed) return;
    this.#isAsked = true;
    // While it acts, too: the rest from that is still to come.
    if (this.#rest === undefined && !this.#isActing) this.#soon ??= setImmediate(() => this.#run());
  }

  /** Not even the rest of this turn is waited for: on a busy machine that may take its time. */
  askNow(): void {
    if (this.#isClosed) return;
    this.#isAsked = true;
    if (this.#rest !== undefined || this.#isActing) return;
    clearImmediate(this.#soon);
    this.#run();
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
    const from = this.#cpuMs();
    this.#isActing = true;
    try {
      this.#act();
    } finally {
      this.#isActing = false;
    }
    if (this.#isClosed) return;
    const restMs = Math.max(this.#restMs, 9 * (this.#cpuMs() - from));
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (this.#isAsked) this.#run();
    }, restMs);
  }
}

function processCpuMs(): number {
  const { system, user } = process.cpuUsage();
  return (system + user) / 1000;
}
