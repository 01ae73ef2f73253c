/** A node with its endpoints. Samples go out as the bytes they are, and come in by way of rclnodejs' own types. */
import type { Logger } from '../../src/log.ts';
import type {
  Client,
  ClientOptions,
  EndpointGid,
  MessageType,
  NodeName,
  Publisher,
  QosProfile,
  RosNode,
  SampleInfo,
  Service,
  ServiceType,
  Subscription,
} from '../transport.ts';
import type { RclMessageInfo, RclNode, Rclnodejs } from './api.ts';
import { RclRosClient } from './client.ts';
import type { RclGraph } from './graph.ts';
import { publisherQos, rclQos } from './qos.ts';
import { bufferOf, fromCdr, type TypeFinder, toCdr } from './types.ts';

export interface RclNodeContext extends NodeName {
  inner: RclNode;
  rclnodejs: Rclnodejs;
  types: TypeFinder;
  graph: RclGraph;
  log: Logger;
  /** So long its thread looks at its endpoints before it can take up another: who adds one then, or closes it, waits for that. */
  spinMs: number;
  onClose(): void;
}

export class RclRosNode implements RosNode {
  readonly name: string;
  readonly namespace: string;
  readonly #o: RclNodeContext;
  readonly #closers = new Set<() => void>();
  #spinning: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(options: RclNodeContext) {
    this.name = options.name;
    this.namespace = options.namespace;
    this.#o = options;
  }

  createPublisher<T>(topic: string, type: MessageType<T>, qos: QosProfile): Publisher<T> {
    const { inner, rclnodejs, types } = this.#o;
    const publisher = inner.createPublisher(types.message(type.name), topic, {
      qos: publisherQos(rclnodejs, qos),
    });
    const close = this.#closer(() => inner.destroyPublisher(publisher));
    const publishRaw = (cdr: Uint8Array): void => publisher.publish(bufferOf(cdr));
    return {
      topic,
      get subscriptions() {
        return close.isClosed ? 0 : publisher.subscriptionCount;
      },
      publish: (message) => publishRaw(type.encode(message)),
      publishRaw,
      assertLiveliness: () => publisher.assertLiveliness(),
      close,
    };
  }

  createSubscription<T>(
    topic: string,
    type: MessageType<T>,
    qos: QosProfile,
    onMessage: (message: T, info: SampleInfo) => void,
  ): Subscription {
    const { log } = this.#o;
    return this.subscribe(topic, type.name, qos, (cdr, info) => {
      try {
        onMessage(type.decode(cdr()), info);
      } catch (err) {
        log.error({ err, topic }, 'a message could not be handled');
      }
    });
  }

  createRawSubscription(
    topic: string,
    type: string | undefined,
    qos: QosProfile,
    onSample: (cdr: Uint8Array, info: SampleInfo) => void,
  ): Subscription {
    const pass = (cdr: () => Uint8Array, info: SampleInfo) => onSample(cdr(), info);
    if (type !== undefined) return this.subscribe(topic, type, qos, pass);
    const { graph, log } = this.#o;
    let found: Subscription | undefined;
    const look = (): void => {
      const publisher = graph.endpoints(topic).find(({ kind }) => kind === 'publisher');
      if (publisher === undefined || found !== undefined) return;
      stopLooking();
      try {
        found = this.subscribe(topic, publisher.type, qos, pass);
      } catch (err) {
        log.warn({ err, topic }, 'cannot subscribe');
      }
    };
    const stopLooking = graph.onChange(look);
    look();
    return {
      topic,
      get publishers() {
        return found?.publishers ?? 0;
      },
      close: () => {
        stopLooking();
        found?.close();
      },
    };
  }

  /**
   * @param onSample gets the bytes when it asks for them: they have to be made
   * @throws TransportError when the type is not installed
   */
  subscribe(
    topic: string,
    typeName: string,
    qos: QosProfile,
    onSample: (cdr: () => Uint8Array, info: SampleInfo) => void,
  ): Subscription {
    const { graph, inner, log, rclnodejs, types } = this.#o;
    const type = types.message(typeName);
    const onMessage = (message: object, info: RclMessageInfo): void => {
      if (close.isClosed) return;
      try {
        onSample(
          () => toCdr(rclnodejs, type, message),
          sampleInfo(graph.publisher(topic, info.publisherGid), info),
        );
      } catch (err) {
        log.error({ err, topic }, 'a message could not be handled');
      }
    };
    const options = { qos: rclQos(rclnodejs, qos) };
    const subscription = inner.createSubscription(type, topic, options, onMessage);
    const close = this.#closer(() => inner.destroySubscription(subscription));
    this.#spinSoon();
    return {
      topic,
      get publishers() {
        return close.isClosed ? 0 : subscription.publisherCount;
      },
      close,
    };
  }

  createService<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    handler: (request: Request) => Response | Promise<Response>,
  ): Service {
    const { inner, log, rclnodejs, types } = this.#o;
    const rclType = types.service(type.name);
    const service = inner.createService(rclType, name, {}, async (plain, response) => {
      try {
        const request = type.request.decode(toCdr(rclnodejs, rclType.Request, plain));
        const cdr = type.response.encode(await handler(request));
        if (!close.isClosed) response.send(fromCdr(rclnodejs, rclType.Response, cdr));
      } catch (err) {
        log.error({ service: name, err }, 'a ROS 2 service failed; the client gets no answer');
      }
    });
    const close = this.#closer(() => inner.destroyService(service));
    this.#spinSoon();
    return { name, close };
  }

  createClient<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    options: ClientOptions = {},
  ): Client<Request, Response> {
    const { graph, inner, rclnodejs, types } = this.#o;
    const rclType = types.service(type.name);
    const rclClient = inner.createClient(rclType, name, {});
    const close = this.#closer(() => inner.destroyClient(rclClient));
    this.#spinSoon();
    return new RclRosClient({ ...options, name, type, graph, rclnodejs, rclType, rclClient, close });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearImmediate(this.#spinning);
    for (const close of [...this.#closers]) close();
    this.#o.inner.destroy();
    this.#o.onClose();
  }

  /** What is created in one go is there before its thread is: nothing waits for that. */
  #spinSoon(): void {
    this.#spinning ??= setImmediate(() => {
      if (!this.#isClosed) this.#o.inner.spin(this.#o.spinMs);
    });
  }

  #closer(destroy: () => void): (() => void) & { readonly isClosed: boolean } {
    let isClosed = false;
    const close = (): void => {
      if (isClosed) return;
      isClosed = true;
      this.#closers.delete(close);
      destroy();
    };
    this.#closers.add(close);
    return Object.defineProperty(close, 'isClosed', { get: () => isClosed }) as (() => void) & {
      readonly isClosed: boolean;
    };
  }
}

function sampleInfo(writer: EndpointGid, { receivedTimestamp, sourceTimestamp }: RclMessageInfo): SampleInfo {
  const nowMs = performance.now();
  // Both are of the machine's own clock, the first one read by the middleware's thread.
  const ageMs = receivedTimestamp > 0n ? Math.max(0, Date.now() - Number(receivedTimestamp) / 1e6) : 0;
  return {
    writer,
    sourceTimeMs: Number(sourceTimestamp) / 1e6,
    receivedMs: nowMs - ageMs,
  };
}
