/** The addon's participant with its events sorted out: each endpoint and watch gets its own. */
import type { Logger } from '../../src/log.ts';
import type { EndpointEvent, EndpointGid, QosProfile, WatchEvent, WatchOptions } from '../transport.ts';
import type { CycloneGraph } from './graph.ts';
import { LibraryLog } from './library-log.ts';
import {
  monotonicOffsetMs,
  type NativeEndpoint,
  type NativeEndpointDescription,
  type NativeId,
  type NativeModule,
  type NativeParticipant,
  type NativeParticipantDescription,
  type NativeSample,
} from './native.ts';

export interface EndpointCallbacks {
  onSample?: (sample: NativeSample) => void;
  onEvent?: (event: EndpointEvent) => void;
}

/** DDS names; the type hash may be empty. */
export interface EndpointDefinition {
  topic: string;
  type: string;
  typeHash: string;
  qos: QosProfile;
  /** The type has a key, which no type of ROS 2 has. */
  isKeyed?: boolean;
}

export class Participant {
  /** 24 hex digits. */
  readonly prefix: string;
  /** Of the participant itself. */
  readonly gid: EndpointGid;
  readonly servesAllVendors: boolean;
  readonly #native: NativeParticipant;
  readonly #log: Logger;
  readonly #libraryLog: LibraryLog;
  readonly #offsetMs = monotonicOffsetMs();
  readonly #endpoints = new Map<NativeId, EndpointCallbacks>();
  readonly #watches = new Map<NativeId, (event: WatchEvent) => void>();
  #graph: CycloneGraph | undefined;

  /** @throws Error with the library's words. */
  constructor(native: NativeModule, domainId: number, config: string, log: Logger) {
    this.#log = log;
    this.#libraryLog = new LibraryLog(log);
    this.servesAllVendors = native.hasRelatedSampleIdentity;
    this.#native = new native.Participant(
      domainId,
      config,
      'enclave=/;',
      (reader, cdr, writer, sequence, sourceTimeMs, receivedMs, relatedWriter, relatedSequence) => {
        const related =
          relatedWriter === undefined ? undefined : { writer: relatedWriter, sequence: relatedSequence! };
        this.#guard(() =>
          this.#endpoints.get(reader)?.onSample?.({
            cdr,
            writer,
            sequence,
            sourceTimeMs,
            receivedMs: receivedMs + this.#offsetMs,
            related,
          }),
        );
      },
      (id, event, first, second) => this.#guard(() => this.#onEvent(id, event, first, second)),
      (kind, gid, description) => {
        this.#guard(() => {
          if (kind === 'participant') {
            this.#graph?.onParticipant(gid, description as NativeParticipantDescription | undefined);
          } else {
            this.#graph?.onEndpoint(kind, gid, description as NativeEndpointDescription | undefined);
          }
        });
      },
    );
    this.prefix = this.#native.prefix();
    this.gid = `${this.prefix}000001c1`;
  }

  watchGraph(graph: CycloneGraph): void {
    this.#graph = graph;
    this.#native.watchGraph();
  }

  createWriter(
    { topic, type, typeHash, qos }: EndpointDefinition,
    callbacks: EndpointCallbacks,
  ): NativeEndpoint {
    const endpoint = this.#native.createWriter(topic, type, userData(typeHash), qos);
    this.#endpoints.set(endpoint.id, callbacks);
    return endpoint;
  }

  createReader(definition: EndpointDefinition, callbacks: EndpointCallbacks): NativeEndpoint {
    const { topic, type, typeHash, qos, isKeyed = false } = definition;
    const endpoint = this.#native.createReader(topic, type, userData(typeHash), qos, isKeyed);
    this.#endpoints.set(endpoint.id, callbacks);
    return endpoint;
  }

  /** The sample's sequence number, or 0 when there was no room for it. */
  write(
    writer: NativeEndpoint,
    cdr: Uint8Array,
    related?: { writer: EndpointGid; sequence: number },
  ): number {
    return this.#native.write(writer.id, cdr, related?.writer, related?.sequence);
  }

  assertLiveliness(writer: NativeEndpoint): void {
    this.#native.assertLiveliness(writer.id);
  }

  remove({ id }: NativeEndpoint): void {
    this.#endpoints.delete(id);
    this.#native.remove(id);
  }

  watch(
    topic: string,
    { maxSilenceMs, livelinessLeaseMs, windowMs }: WatchOptions,
    onEvent: (event: WatchEvent) => void,
  ): NativeWatch {
    const id = this.#native.watch(topic, maxSilenceMs, livelinessLeaseMs, windowMs);
    this.#watches.set(id, onEvent);
    const native = this.#native;
    const toLocal = <T extends { lastSampleMs?: number }>(value: T): T =>
      value.lastSampleMs === undefined
        ? value
        : { ...value, lastSampleMs: value.lastSampleMs + this.#offsetMs };
    return {
      accept: (writers) => native.watchAccept(id, writers && [...writers]),
      stats: () => toLocal(native.watchStats(id)),
      writers: () => native.watchWriters(id).map(toLocal),
      close: () => {
        this.#watches.delete(id);
        native.remove(id);
      },
    };
  }

  async close(): Promise<void> {
    this.#endpoints.clear();
    this.#watches.clear();
    await this.#native.close();
  }

  #onEvent(id: NativeId, event: string, first: unknown, second: unknown): void {
    if (event === 'log') {
      this.#libraryLog.warn(String(first));
      return;
    }
    const onWatch = this.#watches.get(id);
    if (onWatch) onWatch(this.#watchEvent(event, first as number, second));
    else this.#endpoints.get(id)?.onEvent?.(endpointEvent(event, first, second));
  }

  #watchEvent(event: string, at: number, detail: unknown): WatchEvent {
    const atMs = at + this.#offsetMs;
    if (event !== 'silent') {
      return {
        event: event as 'matched' | 'unmatched' | 'alive' | 'notAlive' | 'heard',
        writer: detail as string,
        atMs,
      };
    }
    return {
      event,
      atMs,
      lastSampleMs: detail === undefined ? undefined : (detail as number) + this.#offsetMs,
    };
  }

  /** What a user of the transport throws must not end the process nor keep others from their events. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#log.error({ err: error }, 'a ROS 2 callback failed');
    }
  }
}

export interface NativeWatch {
  accept(writers: ReadonlySet<EndpointGid> | undefined): void;
  stats(): ReturnType<NativeParticipant['watchStats']>;
  writers(): ReturnType<NativeParticipant['watchWriters']>;
  close(): void;
}

function endpointEvent(event: string, first: unknown, second: unknown): EndpointEvent {
  switch (event) {
    case 'matched':
    case 'unmatched':
      return { event, peer: first as EndpointGid };
    case 'incompatibleQos':
      return { event, total: first as number, policy: second as string };
    case 'deadlineMissed':
    case 'livelinessLost':
      return { event, total: first as number };
    default:
      throw new Error(`the addon tells of '${event}', which is unknown here`);
  }
}

function userData(typeHash: string): string {
  return typeHash === '' ? '' : `typehash=${typeHash};`;
}
