/**
 * Whether the whole machine was interrupted a moment ago: suspended, or its wall clock set. Right after it networks come
 * back, peers time out and certificates look expired, which says nothing about the containers.
 */
import { readFileSync } from 'node:fs';

export interface Clocks {
  wallMs: number;
  /** Stands still while the machine is suspended. */
  monotonicMs: number;
  /** Goes on while it is suspended. */
  bootMs: number;
}

export class Interruptions {
  readonly #read: () => Clocks;
  #last: Clocks;
  #recent: { atMs: number; what: string } | undefined;

  constructor(read: () => Clocks = readClocks) {
    this.#read = read;
    this.#last = read();
  }

  /** To be called now and then: an interruption is placed between two calls. */
  observe(): void {
    const now = this.#read();
    const what = interruption(this.#last, now);
    this.#last = now;
    if (what !== undefined) this.#recent = { atMs: now.monotonicMs, what };
  }

  /** What interrupted the machine within the last seconds. */
  recent(): string | undefined {
    this.observe();
    const { atMs, what } = this.#recent ?? {};
    return atMs !== undefined && this.#last.monotonicMs - atMs < graceMs ? what : undefined;
  }
}

function interruption(before: Clocks, now: Clocks): string | undefined {
  const ranMs = now.monotonicMs - before.monotonicMs;
  const suspendedMs = now.bootMs - before.bootMs - ranMs;
  if (suspendedMs > toleranceMs) return `the machine was suspended for ${Math.round(suspendedMs / 1000)} s`;
  const steppedMs = now.wallMs - before.wallMs - ranMs - Math.max(suspendedMs, 0);
  if (Math.abs(steppedMs) <= toleranceMs) return undefined;
  const seconds = Math.round(Math.abs(steppedMs) / 1000);
  return `the clock was set ${steppedMs > 0 ? 'forward' : 'back'} by ${seconds} s`;
}

/** Smaller differences are drift, or the time that passes between two reads on a busy machine. */
const toleranceMs = 2000;

/** What the machine gets to be itself again. */
const graceMs = 10_000;

function readClocks(): Clocks {
  const bootMs = Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
  return { wallMs: Date.now(), monotonicMs: performance.now(), bootMs };
}
