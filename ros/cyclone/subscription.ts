import type { EndpointGid, EndpointOptions, QosProfile, SampleInfo, Subscription } from '../transport.ts';
import type { CycloneGraph } from './graph.ts';
import { ddsTopic, ddsType } from './names.ts';
import type { NativeEndpoint } from './native.ts';
import type { OwnEndpoints } from './own-endpoints.ts';
import type { EndpointDefinition } from './participant.ts';

type OnSample = (cdr: Uint8Array, info: SampleInfo) => void;

export class CycloneSubscription implements Subscription {
  readonly topic: string;
  readonly #endpoints: OwnEndpoints;
  readonly #reader: NativeEndpoint;
  readonly #onClose: () => void;
  readonly #matched = new Set<EndpointGid>();
  #isClosed = false;

  constructor(
    endpoints: OwnEndpoints,
    topic: string,
    definition: EndpointDefinition,
    onSample: OnSample,
    options: EndpointOptions,
    onClose: () => void,
  ) {
    this.topic = topic;
    this.#endpoints = endpoints;
    this.#onClose = onClose;
    this.#reader = endpoints.createReader(definition, {
      onSample: ({ cdr, writer, sourceTimeMs, receivedMs }) =>
        onSample(cdr, { writer, sourceTimeMs, receivedMs }),
      onEvent: (event) => {
        if (event.event === 'matched') this.#matched.add(event.peer);
        if (event.event === 'unmatched') this.#matched.delete(event.peer);
        options.onEvent?.(event);
      },
    });
  }

  get publishers(): number {
    return this.#matched.size;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#matched.clear();
    this.#endpoints.remove(this.#reader);
    this.#onClose();
  }
}

/** Takes the type of the first publisher that is found. */
export class LateSubscription implements Subscription {
  readonly topic: string;
  readonly #stopLooking: () => void;
  readonly #onClose: () => void;
  #found: CycloneSubscription | undefined;

  constructor(
    endpoints: OwnEndpoints,
    graph: CycloneGraph,
    topic: string,
    qos: QosProfile,
    onSample: OnSample,
    options: EndpointOptions,
    onClose: () => void,
  ) {
    this.topic = topic;
    this.#onClose = onClose;
    const look = () => {
      if (this.#found) return;
      const publisher = graph.endpoints(topic).find(({ kind }) => kind === 'publisher');
      if (!publisher) return;
      this.#stopLooking();
      const { type, typeHash, gid } = publisher;
      const definition = {
        topic: ddsTopic(topic),
        type: ddsType(type),
        typeHash,
        qos,
        isKeyed: isKeyed(gid),
      };
      this.#found = new CycloneSubscription(endpoints, topic, definition, onSample, options, () => undefined);
    };
    this.#stopLooking = graph.onChange(look);
    look();
  }

  get publishers(): number {
    return this.#found?.publishers ?? 0;
  }

  close(): void {
    this.#stopLooking();
    this.#found?.close();
    this.#onClose();
  }
}

/** RTPS: the last byte of an entity's id is its kind, 2 a writer of a type with a key. */
function isKeyed(gid: EndpointGid): boolean {
  return gid.at(-1) === '2';
}
