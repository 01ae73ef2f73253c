import type { Logger } from '../../src/log.ts';
import type { EndpointGid, EndpointOptions, MessageType, Publisher, QosProfile } from '../transport.ts';
import { ddsTopic, ddsType } from './names.ts';
import type { NativeEndpoint } from './native.ts';
import type { OwnEndpoints } from './own-endpoints.ts';

export interface PublisherDependencies<T> {
  endpoints: OwnEndpoints;
  topic: string;
  type: MessageType<T>;
  qos: QosProfile;
  options: EndpointOptions;
  log: Logger;
  onClose: () => void;
}

export class CyclonePublisher<T> implements Publisher<T> {
  readonly topic: string;
  readonly #endpoints: OwnEndpoints;
  readonly #type: MessageType<T>;
  readonly #writer: NativeEndpoint;
  readonly #log: Logger;
  readonly #onClose: () => void;
  readonly #matched = new Set<EndpointGid>();
  #isFull = false;
  #isClosed = false;

  constructor({ endpoints, topic, type, qos, options, log, onClose }: PublisherDependencies<T>) {
    this.topic = topic;
    this.#endpoints = endpoints;
    this.#type = type;
    this.#log = log;
    this.#onClose = onClose;
    const definition = { topic: ddsTopic(topic), type: ddsType(type.name), typeHash: type.typeHash, qos };
    this.#writer = endpoints.createWriter(definition, {
      onEvent: (event) => {
        if (event.event === 'matched') this.#matched.add(event.peer);
        if (event.event === 'unmatched') this.#matched.delete(event.peer);
        options.onEvent?.(event);
      },
    });
  }

  get subscriptions(): number {
    return this.#matched.size;
  }

  publish(message: T): void {
    this.publishRaw(this.#type.encode(message));
  }

  publishRaw(cdr: Uint8Array): void {
    const isFull = this.#endpoints.write(this.#writer, cdr) === 0;
    if (isFull && !this.#isFull) {
      this.#log.warn(
        { topic: this.topic },
        'dropped a ROS 2 message: a subscriber does not keep up with a publisher that keeps all; more are dropped silently until it does',
      );
    }
    this.#isFull = isFull;
  }

  assertLiveliness(): void {
    this.#endpoints.assertLiveliness(this.#writer);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#matched.clear();
    this.#endpoints.remove(this.#writer);
    this.#onClose();
  }
}
