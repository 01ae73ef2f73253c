import { randomBytes } from 'node:crypto';
import type { Client, ClientOptions, EndpointGid, ServiceType } from '../transport.ts';
import { ddsType, serviceTopics } from './names.ts';
import type { NativeEndpoint, NativeSample } from './native.ts';
import type { OwnEndpoints } from './own-endpoints.ts';
import { addHeader, participantOf, rpcStyle, serviceQos, splitHeader, unknownSequence } from './rpc.ts';

export interface ClientDependencies<Request, Response> {
  endpoints: OwnEndpoints;
  name: string;
  type: ServiceType<Request, Response>;
  options: ClientOptions;
  onClose: () => void;
}

interface PendingCall<Response> {
  /** The participant whose answer is wanted; undefined: anybody's. */
  from?: string;
  resolve(response: Response): void;
  reject(error: unknown): void;
}

export class CycloneClient<Request, Response> implements Client<Request, Response> {
  readonly name: string;
  readonly #endpoints: OwnEndpoints;
  readonly #type: ServiceType<Request, Response>;
  readonly #onClose: () => void;
  readonly #writer: NativeEndpoint;
  readonly #reader: NativeEndpoint;
  readonly #requestReaders = new Set<EndpointGid>();
  readonly #replyWriters = new Set<EndpointGid>();
  /** By what a reply of either style carries. */
  readonly #calls = new Map<string, PendingCall<Response>>();
  /** Calls that wait for a server. */
  readonly #ready = new Set<() => void>();
  readonly #closing = new AbortController();
  /** rmw_cyclonedds' id of a client; any number that no other client has. */
  readonly #id = randomBytes(8).readBigUInt64LE();
  #sequence = 0n;

  constructor({ endpoints, name, type, options, onClose }: ClientDependencies<Request, Response>) {
    this.name = name;
    this.#endpoints = endpoints;
    this.#type = type;
    this.#onClose = onClose;
    const topics = serviceTopics(name);
    const { typeHash } = type;
    this.#reader = endpoints.createReader(
      { topic: topics.reply, type: ddsType(`${type.name}_Response`), typeHash, qos: serviceQos },
      {
        onSample: (sample) => this.#onReply(sample),
        onEvent: (event) => {
          if (event.event === 'matched') this.#replyWriters.add(event.peer);
          if (event.event === 'unmatched') this.#replyWriters.delete(event.peer);
          this.#tellReady();
          options.onServers?.();
        },
      },
    );
    this.#writer = endpoints.createWriter(
      { topic: topics.request, type: ddsType(`${type.name}_Request`), typeHash, qos: serviceQos },
      {
        onEvent: (event) => {
          if (event.event === 'matched') this.#requestReaders.add(event.peer);
          if (event.event === 'unmatched') this.#requestReaders.delete(event.peer);
          this.#tellReady();
          options.onServers?.();
        },
      },
    );
  }

  get servers(): readonly EndpointGid[] {
    const answering = new Set([...this.#replyWriters].map(participantOf));
    return [...this.#requestReaders].filter((reader) => answering.has(participantOf(reader)));
  }

  get isReady(): boolean {
    return this.servers.length > 0;
  }

  async call(request: Request, signal: AbortSignal, server?: EndpointGid): Promise<Response> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    either.throwIfAborted();
    await this.#untilReady(either);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const key = this.#send(this.#type.request.encode(request), server ?? this.servers[0]!);
    const onAbort = () => reject(either.reason);
    this.#calls.set(key, { from: server && participantOf(server), resolve, reject });
    either.addEventListener('abort', onAbort);
    try {
      return await promise;
    } finally {
      either.removeEventListener('abort', onAbort);
      this.#calls.delete(key);
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error(`the client of ${this.name} is closed`));
    this.#endpoints.remove(this.#reader);
    this.#endpoints.remove(this.#writer);
    this.#onClose();
  }

  #tellReady(): void {
    if (this.isReady) for (const ready of this.#ready) ready();
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    while (!this.isReady) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = () => reject(signal.reason);
      this.#ready.add(resolve);
      signal.addEventListener('abort', onAbort);
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', onAbort);
        this.#ready.delete(resolve);
      }
    }
  }

  /** Returns by what the reply is known. */
  #send(cdr: Uint8Array, server: EndpointGid): string {
    this.#sequence++;
    if (rpcStyle(server) === 'header') {
      const header = { client: this.#id, sequence: this.#sequence };
      this.#endpoints.write(this.#writer, addHeader(cdr, header));
      return `header ${this.#sequence}`;
    }
    const sequence = this.#endpoints.write(this.#writer, cdr, {
      writer: this.#reader.gid,
      sequence: unknownSequence,
    });
    return `identity ${sequence}`;
  }

  #onReply({ cdr, writer, related }: NativeSample): void {
    if (rpcStyle(writer, related) === 'identity') {
      if (related?.writer !== this.#writer.gid && related?.writer !== this.#reader.gid) return;
      this.#settle(`identity ${related.sequence}`, writer, cdr);
      return;
    }
    const split = splitHeader(cdr);
    if (split?.header.client === this.#id) {
      this.#settle(`header ${split.header.sequence}`, writer, split.cdr);
    }
  }

  #settle(key: string, writer: EndpointGid, cdr: Uint8Array): void {
    const call = this.#calls.get(key);
    if (!call || (call.from !== undefined && call.from !== participantOf(writer))) return;
    try {
      call.resolve(this.#type.response.decode(cdr));
    } catch (cause) {
      call.reject(new Error(`the answer of ${this.name} cannot be decoded`, { cause }));
    }
  }
}
