/** Pods of a cluster, made, deleted and watched by a client of its own: kubectl would cost more than what is measured. */
import type { Node, Pod } from '../src/api/core.gen.ts';
import { apiPath, KubeClient } from '../src/cluster/client.ts';
import { readKubeconfig } from '../src/cluster/kubeconfig.ts';
import { isReady } from '../test/agent.ts';

const namespace = 'default';
const limitMs = 180_000;

interface Waiter {
  matches(): boolean;
  done(atMs: number): void;
}

export class ClusterPods {
  readonly #client: KubeClient;
  readonly #signal: AbortSignal;
  readonly #pods = new Map<string, Pod>();
  readonly #nodes = new Map<string, Node>();
  readonly #waiters = new Set<Waiter>();

  private constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** @param kubeconfig of somebody who may do everything */
  static async open(kubeconfig: string, signal: AbortSignal): Promise<ClusterPods> {
    const client = new KubeClient(await readKubeconfig(kubeconfig), 'roslet-bench');
    signal.addEventListener('abort', () => client.close(), { once: true });
    const pods = new ClusterPods(client, signal);
    void pods.#watch(apiPath({ resource: 'pods', namespace }), pods.#pods);
    void pods.#watch(apiPath({ resource: 'nodes' }), pods.#nodes);
    return pods;
  }

  async create(pod: Pod): Promise<void> {
    await this.#client.create(apiPath({ resource: 'pods', namespace }), pod, this.#signal);
  }

  async delete(name: string): Promise<void> {
    await this.#client.delete(apiPath({ resource: 'pods', namespace, name }), {}, this.#signal);
  }

  /** As its controller does with a node that has not been heard of for a while. */
  async declareLost(node: string): Promise<void> {
    const status = { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] };
    const path = apiPath({ resource: 'nodes', name: node, subresource: 'status' });
    await this.#client.patch(path, { status }, this.#signal);
    await this.#until(`${node} is lost`, () => !this.#isNodeReady(node));
  }

  /** All of these return when the watch told of it (epoch ms). */
  ready(name: string): Promise<number> {
    return this.#until(`${name} is ready`, () => {
      const pod = this.#pods.get(name);
      return pod !== undefined && isReady(pod);
    });
  }

  gone(name: string): Promise<number> {
    return this.#until(`${name} is gone`, () => !this.#pods.has(name));
  }

  nodeReady(node: string): Promise<number> {
    return this.#until(`${node} is ready`, () => this.#isNodeReady(node));
  }

  restarts(name: string): number {
    const statuses = this.#pods.get(name)?.status?.containerStatuses ?? [];
    return statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  }

  #isNodeReady(name: string): boolean {
    const node = this.#nodes.get(name);
    return node !== undefined && isReady(node);
  }

  async #until(what: string, matches: () => boolean): Promise<number> {
    if (matches()) return Date.now();
    let timer: NodeJS.Timeout | undefined;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const waiter = { matches, done: resolve };
    this.#waiters.add(waiter);
    timer = setTimeout(() => reject(new Error(`not within ${limitMs} ms: ${what}`)), limitMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  async #watch<T extends Pod | Node>(path: string, known: Map<string, T>): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        for await (const events of this.#client.watch<T>(path, {}, 3600, this.#signal)) {
          const atMs = Date.now();
          for (const { type, object } of events) {
            const name = object.metadata?.name ?? '';
            if (type === 'DELETED') known.delete(name);
            else known.set(name, object);
          }
          for (const waiter of this.#waiters) if (waiter.matches()) waiter.done(atMs);
        }
      } catch (error) {
        if (!this.#signal.aborted) console.error(`bench: ${error}`);
      }
    }
  }
}
