/** A log on /rosout. Bounded in rate: one that runs wild must not take the robot's network with it. */

import type { LogLine } from '../agent-port.ts';
import { Log } from '../messages/gen/rcl_interfaces.ts';
import type { Publisher } from '../transport.ts';
import { timeOf } from './time.ts';

/** Lines a second, after as many at once. */
const maxRateHz = 100;

/** What was dropped is told so long after the first of it. */
const tellDroppedMs = 1000;

const levels: Readonly<Record<LogLine['level'], number>> = {
  trace: Log.DEBUG,
  debug: Log.DEBUG,
  info: Log.INFO,
  warn: Log.WARN,
  error: Log.ERROR,
  fatal: Log.FATAL,
};

export class RosoutWriter {
  readonly #publisher: Publisher<Log>;
  readonly #name: string;
  readonly #onFailure: (err: unknown) => void;
  #tokens = maxRateHz;
  #filledAtMs = performance.now();
  #dropped = 0;
  #telling: NodeJS.Timeout | undefined;
  #isWriting = false;

  /**
   * @param name of the logger: the node's, with dots.
   * @param onFailure what is told later could not be told
   */
  constructor(publisher: Publisher<Log>, name: string, onFailure: (err: unknown) => void) {
    this.#publisher = publisher;
    this.#name = name;
    this.#onFailure = onFailure;
  }

  /** @param file what stands for the source file: of a pod the container. */
  write(line: LogLine, file = ''): void {
    // What publishing has to say of itself must not be published.
    if (this.#isWriting) return;
    const nowMs = performance.now();
    this.#tokens = Math.min(this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * maxRateHz, maxRateHz);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) {
      this.#dropped += 1;
      this.#telling ??= setTimeout(() => this.#tellDropped(), tellDroppedMs);
      return;
    }
    this.#tokens -= 1;
    this.#publish(line, file);
  }

  close(): void {
    clearTimeout(this.#telling);
  }

  #tellDropped(): void {
    this.#telling = undefined;
    const message = `${this.#dropped} lines were dropped: more than ${maxRateHz} a second are not passed on`;
    this.#dropped = 0;
    try {
      this.#publish({ level: 'warn', message, timeMs: Date.now() }, '');
    } catch (err) {
      this.#onFailure(err);
    }
  }

  #publish({ level, message, timeMs }: LogLine, file: string): void {
    this.#isWriting = true;
    try {
      this.#publisher.publish(
        Log.create({ stamp: timeOf(timeMs), level: levels[level], name: this.#name, msg: message, file }),
      );
    } finally {
      this.#isWriting = false;
    }
  }
}
