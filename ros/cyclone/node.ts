/** A node: a name on the graph, and the endpoints that are announced as its own. */
import type { Logger } from '../../src/log.ts';
import type {
  Client,
  ClientOptions,
  EndpointGid,
  EndpointOptions,
  MessageType,
  Publisher,
  QosProfile,
  RosNode,
  SampleInfo,
  Service,
  ServiceType,
  Subscription,
} from '../transport.ts';
import type { Announcer } from './announcer.ts';
import { CycloneClient } from './client.ts';
import type { CycloneGraph } from './graph.ts';
import { ddsTopic, ddsType } from './names.ts';
import type { NativeEndpoint, SampleIdentity } from './native.ts';
import type { OwnEndpoints } from './own-endpoints.ts';
import type { EndpointCallbacks, EndpointDefinition, Participant } from './participant.ts';
import { CyclonePublisher } from './publisher.ts';
import { CycloneService } from './service.ts';
import { CycloneSubscription, LateSubscription } from './subscription.ts';

export interface NodeDependencies {
  name: string;
  namespace: string;
  participant: Participant;
  announcer: Announcer;
  graph: CycloneGraph;
  log: Logger;
  onClose: () => void;
}

/** Writers of which is remembered that they were complained of. */
const maxRemembered = 1000;

export class CycloneNode implements RosNode, OwnEndpoints {
  readonly name: string;
  readonly namespace: string;
  readonly readers = new Set<EndpointGid>();
  readonly writers = new Set<EndpointGid>();
  readonly #participant: Participant;
  readonly #announcer: Announcer;
  readonly #graph: CycloneGraph;
  readonly #log: Logger;
  readonly #onClose: () => void;
  /** Open ones, to be closed with the node. */
  readonly #created = new Set<{ close(): void }>();
  /** Also those of a service or client of which only one could be made. */
  readonly #open = new Set<NativeEndpoint>();

  constructor({ name, namespace, participant, announcer, graph, log, onClose }: NodeDependencies) {
    this.name = name;
    this.namespace = namespace;
    this.#participant = participant;
    this.#announcer = announcer;
    this.#graph = graph;
    this.#log = log;
    this.#onClose = onClose;
    announcer.add(this);
  }

  createPublisher<T>(
    topic: string,
    type: MessageType<T>,
    qos: QosProfile,
    options: EndpointOptions = {},
  ): Publisher<T> {
    return this.#keep(
      (onClose) =>
        new CyclonePublisher({ endpoints: this, topic, type, qos, options, log: this.#log, onClose }),
    );
  }

  createSubscription<T>(
    topic: string,
    type: MessageType<T>,
    qos: QosProfile,
    onMessage: (message: T, info: SampleInfo) => void,
    options: EndpointOptions = {},
  ): Subscription {
    const undecodable = new Set<EndpointGid>();
    const onSample = (cdr: Uint8Array, info: SampleInfo) => {
      let message: T;
      try {
        message = type.decode(cdr);
      } catch (error) {
        if (undecodable.has(info.writer)) return;
        // A writer that comes and goes under new names must not make this grow.
        if (undecodable.size >= maxRemembered) undecodable.clear();
        undecodable.add(info.writer);
        this.#log.warn(
          { topic, type: type.name, writer: info.writer, err: error },
          'dropped a ROS 2 message that cannot be decoded; more of this writer are dropped silently',
        );
        return;
      }
      onMessage(message, info);
    };
    const definition = { topic: ddsTopic(topic), type: ddsType(type.name), typeHash: type.typeHash, qos };
    return this.#keep(
      (onClose) => new CycloneSubscription(this, topic, definition, onSample, options, onClose),
    );
  }

  createRawSubscription(
    topic: string,
    type: string | undefined,
    qos: QosProfile,
    onSample: (cdr: Uint8Array, info: SampleInfo) => void,
    options: EndpointOptions = {},
  ): Subscription {
    if (type === undefined) {
      return this.#keep(
        (onClose) => new LateSubscription(this, this.#graph, topic, qos, onSample, options, onClose),
      );
    }
    const definition = { topic: ddsTopic(topic), type: ddsType(type), typeHash: '', qos };
    return this.#keep(
      (onClose) => new CycloneSubscription(this, topic, definition, onSample, options, onClose),
    );
  }

  createService<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    handler: (request: Request) => Response | Promise<Response>,
  ): Service {
    const { servesAllVendors } = this.#participant;
    return this.#keep(
      (onClose) =>
        new CycloneService({
          endpoints: this,
          servesAllVendors,
          name,
          type,
          handler,
          log: this.#log,
          onClose,
        }),
    );
  }

  createClient<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    options: ClientOptions = {},
  ): Client<Request, Response> {
    return this.#keep((onClose) => new CycloneClient({ endpoints: this, name, type, options, onClose }));
  }

  close(): void {
    for (const created of [...this.#created]) created.close();
    for (const endpoint of [...this.#open]) this.remove(endpoint);
    this.#announcer.remove(this);
    this.#onClose();
  }

  // --- OwnEndpoints

  createWriter(definition: EndpointDefinition, callbacks: EndpointCallbacks): NativeEndpoint {
    const writer = this.#participant.createWriter(definition, callbacks);
    this.writers.add(writer.gid);
    this.#open.add(writer);
    this.#announcer.update();
    return writer;
  }

  createReader(definition: EndpointDefinition, callbacks: EndpointCallbacks): NativeEndpoint {
    const reader = this.#participant.createReader(definition, callbacks);
    this.readers.add(reader.gid);
    this.#open.add(reader);
    this.#announcer.update();
    return reader;
  }

  write(writer: NativeEndpoint, cdr: Uint8Array, related?: SampleIdentity): number {
    return this.#participant.write(writer, cdr, related);
  }

  assertLiveliness(writer: NativeEndpoint): void {
    this.#participant.assertLiveliness(writer);
  }

  remove(endpoint: NativeEndpoint): void {
    this.writers.delete(endpoint.gid);
    this.readers.delete(endpoint.gid);
    this.#open.delete(endpoint);
    this.#participant.remove(endpoint);
    this.#announcer.update();
  }

  #keep<T extends { close(): void }>(create: (onClose: () => void) => T): T {
    const created = create(() => this.#created.delete(created));
    this.#created.add(created);
    return created;
  }
}
