/** The agent's log on /rosout. Bounded in rate: a log that runs wild must not take the robot's network with it. */

import type { LogLine } from '../agent-port.ts';
import { Log } from '../messages/gen/rcl_interfaces.ts';
import type { Publisher } from '../transport.ts';
import { timeOf } from './time.ts';

/** Lines a second, after as many at once. */
const maxRateHz = 100;

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
  #tokens = maxRateHz;
  #filledAtMs = performance.now();
  #dropped = 0;
  #isWriting = false;

  /** @param name of the logger: the node's, with dots. */
  constructor(publisher: Publisher<Log>, name: string) {
    this.#publisher = publisher;
    this.#name = name;
  }

  write({ level, message, timeMs }: LogLine): void {
    // What publishing has to say of itself must not be published.
    if (this.#isWriting) return;
    const nowMs = performance.now();
    this.#tokens = Math.min(this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * maxRateHz, maxRateHz);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) {
      this.#dropped += 1;
      return;
    }
    this.#tokens -= 1;
    const dropped = this.#dropped === 0 ? '' : ` (${this.#dropped} lines before it were dropped)`;
    this.#dropped = 0;
    this.#isWriting = true;
    try {
      this.#publisher.publish(
        Log.create({
          stamp: timeOf(timeMs),
          level: levels[level],
          name: this.#name,
          msg: `${message}${dropped}`,
        }),
      );
    } finally {
      this.#isWriting = false;
    }
  }
}
