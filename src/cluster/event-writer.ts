/** Sends events to the API server, in order, as many as it takes: an event is help for a person, not a record. */
import type { Event } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { apiPath, type KubeClient, retryDelayMs } from './client.ts';
import { ApiStatusError, hasStatus } from './errors.ts';

export class EventWriter {
  readonly #client: KubeClient;
  readonly #log: Logger;
  /** By namespace and name: of an event that repeats only the last count matters. */
  readonly #waiting = new Map<string, Event>();
  readonly #written = new Set<string>();
  #wake: (() => void) | undefined;

  constructor(client: KubeClient, log: Logger) {
    this.#client = client;
    this.#log = log;
  }

  add(event: Event): void {
    this.#waiting.set(keyOf(event), event);
    if (this.#waiting.size > mostWaiting) forgetFirst(this.#waiting);
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const [next] = this.#waiting;
      if (next === undefined) {
        await this.#untilMore(signal);
        continue;
      }
      const [key, event] = next;
      this.#waiting.delete(key);
      try {
        await this.#write(key, event, signal);
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        // Refused for good, such as in a namespace that is being deleted.
        if (err instanceof ApiStatusError && err.code < 500 && err.code !== 429 && err.code !== 401) {
          this.#log.debug({ err }, 'the API server does not take an event');
          continue;
        }
        if (!this.#waiting.has(key)) this.#waiting.set(key, event);
        failures += 1;
        await this.#client.untilRetry(retryDelayMs(failures, err, backoff), signal);
      }
    }
  }

  async #write(key: string, event: Event, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name = '' } = event.metadata;
    const at = { resource: 'events', namespace };
    if (this.#written.has(key)) {
      const { count, lastTimestamp, message } = event;
      try {
        await this.#client.patch(apiPath({ ...at, name }), { count, lastTimestamp, message }, signal);
        return;
      } catch (error) {
        // Events live for an hour.
        if (!hasStatus(error, 404)) throw error;
      }
    }
    await this.#client.create(apiPath(at), { ...event, metadata: { namespace, name } }, signal);
    this.#written.add(key);
    if (this.#written.size > mostWritten) forgetFirst(this.#written);
  }

  #untilMore(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}

const mostWaiting = 1000;
const mostWritten = 2000;
const backoff = { initialMs: 500, maxMs: 30_000 };

const keyOf = ({ metadata }: Event): string => `${metadata.namespace}/${metadata.name}`;

function forgetFirst(collection: Map<string, unknown> | Set<string>): void {
  for (const key of collection.keys()) {
    collection.delete(key);
    return;
  }
}
