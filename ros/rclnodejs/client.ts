import { setTimeout as delay } from 'node:timers/promises';
import type { Client, ClientOptions, EndpointGid, ServiceType } from '../transport.ts';
import type { RclClient, Rclnodejs, RclServiceClass } from './api.ts';
import type { RclGraph } from './graph.ts';
import { fromCdr, toCdr } from './types.ts';

/** How often it is looked whether there is a server. */
const lookMs = 20;

export interface RclRosClientOptions<Request, Response> extends ClientOptions {
  name: string;
  type: ServiceType<Request, Response>;
  graph: RclGraph;
  rclnodejs: Rclnodejs;
  rclType: RclServiceClass;
  rclClient: RclClient;
  close(): void;
}

export class RclRosClient<Request, Response> implements Client<Request, Response> {
  readonly name: string;
  readonly #o: RclRosClientOptions<Request, Response>;
  readonly #closed = new AbortController();
  readonly #stopLooking: () => void = () => undefined;

  constructor(options: RclRosClientOptions<Request, Response>) {
    this.name = options.name;
    this.#o = options;
    let told = '';
    const look = (): void => {
      const servers = this.servers.join();
      if (servers === told) return;
      told = servers;
      options.onServers?.();
    };
    if (options.onServers !== undefined) this.#stopLooking = options.graph.onChange(look);
  }

  get servers(): readonly EndpointGid[] {
    return this.#closed.signal.aborted ? [] : this.#o.graph.servers(this.name);
  }

  get isReady(): boolean {
    return !this.#closed.signal.aborted && this.#o.rclClient.isServiceServerAvailable();
  }

  /** rclnodejs does not tell who has answered: the first answer is taken, whichever server was meant. */
  async call(request: Request, signal: AbortSignal): Promise<Response> {
    const { rclClient, rclType, rclnodejs, type } = this.#o;
    const either = AbortSignal.any([signal, this.#closed.signal]);
    either.throwIfAborted();
    const plain = fromCdr(rclnodejs, rclType.Request, type.request.encode(request));
    try {
      while (!rclClient.isServiceServerAvailable()) await delay(lookMs, undefined, { signal: either });
      const answer = await rclClient.sendRequestAsync(plain, { signal: either });
      return type.response.decode(toCdr(rclnodejs, rclType.Response, answer));
    } catch (err) {
      // Whoever waits is told why, and not by which of the two.
      throw either.aborted ? either.reason : err;
    }
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#stopLooking();
    this.#closed.abort(new Error(`the client of ${this.name} was closed`));
    this.#o.close();
  }
}
