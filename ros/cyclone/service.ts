import type { Logger } from '../../src/log.ts';
import type { EndpointGid, Service, ServiceType } from '../transport.ts';
import { ddsType, serviceTopics } from './names.ts';
import type { NativeEndpoint, NativeSample, SampleIdentity } from './native.ts';
import type { OwnEndpoints } from './own-endpoints.ts';
import { addHeader, identityOfRequest, participantOf, rpcStyle, serviceQos, splitHeader } from './rpc.ts';

export interface ServiceDependencies<Request, Response> {
  endpoints: OwnEndpoints;
  /** False: only clients of Cyclone DDS get answers. */
  servesAllVendors: boolean;
  name: string;
  type: ServiceType<Request, Response>;
  handler: (request: Request) => Response | Promise<Response>;
  log: Logger;
  onClose: () => void;
}

/** Clients that ask and are never discovered. */
const maxWaiting = 1000;
/** Discovery takes a few periods of it at most. */
const maxWaitMs = 30_000;
const maxWaitingBytes = 16 * 1024 * 1024;

/** The largest manifest that the Kubernetes API takes, and some. */
const maxRequestBytes = 4 * 1024 * 1024;
/** What is being worked at; more wait, and what is too much is dropped like a sample that nobody had room for. */
const maxInWork = 16;
const maxQueued = 256;

interface Reply {
  cdr: Uint8Array;
  related?: SampleIdentity;
  atMs: number;
}

/** For clients of every rmw at once: each gets its answer in the style in which it asked. */
export class CycloneService<Request, Response> implements Service {
  readonly name: string;
  readonly #endpoints: OwnEndpoints;
  readonly #servesAllVendors: boolean;
  readonly #type: ServiceType<Request, Response>;
  readonly #handler: (request: Request) => Response | Promise<Response>;
  readonly #log: Logger;
  readonly #onClose: () => void;
  readonly #reader: NativeEndpoint;
  readonly #writer: NativeEndpoint;
  readonly #replyReaders = new Set<EndpointGid>();
  /** By participant: replies whose reader is not discovered yet. Requests and readers are discovered apart. */
  readonly #waiting = new Map<string, Reply[]>();
  readonly #complainedOf = new Set<EndpointGid>();
  readonly #queue: NativeSample[] = [];
  #inWork = 0;
  #isClosed = false;

  constructor(dependencies: ServiceDependencies<Request, Response>) {
    const { endpoints, servesAllVendors, name, type, handler, log, onClose } = dependencies;
    this.name = name;
    this.#endpoints = endpoints;
    this.#servesAllVendors = servesAllVendors;
    this.#type = type;
    this.#handler = handler;
    this.#log = log;
    this.#onClose = onClose;
    const topics = serviceTopics(name);
    this.#writer = endpoints.createWriter(
      {
        topic: topics.reply,
        type: ddsType(`${type.name}_Response`),
        typeHash: type.typeHash,
        qos: serviceQos,
      },
      {
        onEvent: (event) => {
          if (event.event === 'matched') this.#onReplyReader(event.peer);
          if (event.event === 'unmatched') this.#onReplyReaderGone(event.peer);
        },
      },
    );
    this.#reader = endpoints.createReader(
      {
        topic: topics.request,
        type: ddsType(`${type.name}_Request`),
        typeHash: type.typeHash,
        qos: serviceQos,
      },
      { onSample: (sample) => this.#take(sample) },
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.clear();
    this.#queue.length = 0;
    this.#endpoints.remove(this.#reader);
    this.#endpoints.remove(this.#writer);
    this.#onClose();
  }

  #take(sample: NativeSample): void {
    if (sample.cdr.length > maxRequestBytes) {
      this.#complain(sample.writer, `dropped a request of ${sample.cdr.length} bytes: it is too large`);
    } else if (this.#queue.length >= maxQueued) {
      this.#complain(sample.writer, 'dropped a request: too many wait for their answer');
    } else {
      this.#queue.push(sample);
      this.#work();
    }
  }

  #work(): void {
    while (this.#inWork < maxInWork) {
      const sample = this.#queue.shift();
      if (sample === undefined) return;
      this.#inWork += 1;
      this.#onRequest(sample)
        .catch((error: unknown) =>
          this.#log.error({ service: this.name, err: error }, 'an answer over ROS 2 could not be sent'),
        )
        .finally(() => {
          this.#inWork -= 1;
          this.#work();
        });
    }
  }

  async #onRequest(sample: NativeSample): Promise<void> {
    const style = rpcStyle(sample.writer, sample.related);
    const split = style === 'header' ? splitHeader(sample.cdr) : undefined;
    if (style === 'identity' && !this.#servesAllVendors) {
      this.#complain(
        sample.writer,
        'cannot answer this client: the agent runs on a Cyclone DDS without the patch for it',
      );
      return;
    }
    let request: Request;
    try {
      if (style === 'header' && !split) throw new Error('it is shorter than the header of a request');
      request = this.#type.request.decode(split?.cdr ?? sample.cdr);
    } catch (error) {
      this.#complain(sample.writer, 'dropped a request that cannot be decoded', error);
      return;
    }
    let cdr: Uint8Array;
    try {
      cdr = this.#type.response.encode(await this.#handler(request));
    } catch (error) {
      this.#log.error(
        { service: this.name, err: error },
        'a ROS 2 service failed; the client gets no answer',
      );
      return;
    }
    if (this.#isClosed) return;
    const atMs = performance.now();
    const reply: Reply = split
      ? { cdr: addHeader(cdr, split.header), atMs }
      : { cdr, related: identityOfRequest(sample), atMs };
    this.#reply(participantOf(sample.writer), reply);
  }

  #reply(client: string, reply: Reply): void {
    if ([...this.#replyReaders].some((reader) => participantOf(reader) === client)) {
      this.#write(reply);
      return;
    }
    this.#forgetOld(reply.atMs);
    const replies = [...(this.#waiting.get(client) ?? []), reply].slice(-serviceQos.depth);
    // Last in the order in which they are forgotten.
    this.#waiting.delete(client);
    this.#waiting.set(client, replies);
  }

  /** Those who asked longest ago first: a client that never shows up leaves nothing behind. */
  #forgetOld(nowMs: number): void {
    let bytes = 0;
    for (const replies of this.#waiting.values()) for (const { cdr } of replies) bytes += cdr.length;
    for (const [client, replies] of this.#waiting) {
      const isOld = nowMs - (replies.at(-1)?.atMs ?? 0) > maxWaitMs;
      if (!isOld && bytes <= maxWaitingBytes && this.#waiting.size < maxWaiting) return;
      this.#waiting.delete(client);
      for (const { cdr } of replies) bytes -= cdr.length;
    }
  }

  #write({ cdr, related }: Reply): void {
    this.#endpoints.write(this.#writer, cdr, related);
  }

  #onReplyReader(reader: EndpointGid): void {
    this.#replyReaders.add(reader);
    const client = participantOf(reader);
    for (const reply of this.#waiting.get(client) ?? []) this.#write(reply);
    this.#waiting.delete(client);
  }

  #onReplyReaderGone(reader: EndpointGid): void {
    this.#replyReaders.delete(reader);
    this.#waiting.delete(participantOf(reader));
  }

  #complain(client: EndpointGid, message: string, error?: unknown): void {
    if (this.#complainedOf.has(client)) return;
    if (this.#complainedOf.size >= maxWaiting) this.#complainedOf.clear();
    this.#complainedOf.add(client);
    this.#log.warn({ service: this.name, client, err: error }, message);
  }
}
