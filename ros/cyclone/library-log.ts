/** The library's warnings, in the agent's log: each once a minute, as anybody on the network can cause them at will. */
import type { Logger } from '../../src/log.ts';

const periodMs = 60_000;
/** Different ones in a period. */
const maxMessages = 20;

export class LibraryLog {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  readonly #told = new Set<string>();
  #suppressed = 0;

  constructor(log: Logger, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  warn(text: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sinceMs >= periodMs) {
      const suppressed = this.#suppressed;
      this.#sinceMs = nowMs;
      this.#told.clear();
      this.#suppressed = 0;
      if (suppressed > 0) this.#log.warn({ suppressed }, 'Cyclone DDS warned more often than is logged');
    }
    // The numbers in it differ from packet to packet.
    const kind = text.replace(/\d+/g, '#');
    if (this.#told.has(kind) || this.#told.size >= maxMessages) {
      this.#suppressed++;
      return;
    }
    this.#told.add(kind);
    this.#log.warn({ library: 'cyclonedds' }, text);
  }
}
