/** A topic watch: all of the work is done by the addon. */
import type {
  EndpointGid,
  TopicWatch,
  WatchEvent,
  WatchedWriter,
  WatchOptions,
  WatchStats,
} from '../transport.ts';
import { ddsTopic, rosType } from './names.ts';
import type { NativeWatch, Participant } from './participant.ts';

export class CycloneWatch implements TopicWatch {
  readonly #native: NativeWatch;

  constructor(
    participant: Participant,
    topic: string,
    options: WatchOptions,
    onEvent: (event: WatchEvent) => void,
  ) {
    this.#native = participant.watch(ddsTopic(topic), options, onEvent);
  }

  writers(): WatchedWriter[] {
    return this.#native.writers().map((writer) => ({ ...writer, type: rosType(writer.type) }));
  }

  accept(writers: ReadonlySet<EndpointGid> | undefined): void {
    this.#native.accept(writers);
  }

  stats(): WatchStats {
    return this.#native.stats();
  }

  close(): void {
    this.#native.close();
  }
}
