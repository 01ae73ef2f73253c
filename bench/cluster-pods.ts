/** Pods of a cluster, made, deleted and watched by a client of its own: kubectl would cost more than what is measured. */
import type { Node, Pod } from '../src/api/core.gen.ts';
import { apiPath, KubeClient } from '../src/cluster/client.ts';
import { readKubeconfig } from '../src/cluster/kubeconfig.ts';
import { reflect } from '../src/cluster/reflector.ts';
import { silentLogger } from '../src/log.ts';
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
  /** By namespace and name, as the reflector has them. */
  #pods: ReadonlyMap<string, Pod> = new Map();
  #nodes: ReadonlyMap<string, Node> = new Map();
  readonly #waiters = new Set<Waiter>();

  private constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** @param kubeconfig of somebody who may do everything */
  static async open(kubeconfig: string, signal: AbortSignal): Promise<ClusterPods> {
    const client = new KubeClient(await readKubeconfig(kubeconfig, signal), 'roslet-bench');
    signal.addEventListener('abort', () => client.close(), { once: true });
    const pods = new ClusterPods(client, signal);
    pods.#follow<Pod>({ resource: 'pods', namespace }, (items) => {
      pods.#pods = items;
    });
    pods.#follow<Node>({ resource: 'nodes' }, (items) => {
      pods.#nodes = items;
    });
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
      const pod = this.#pods.get(`${namespace}/${name}`);
      return pod !== undefined && isReady(pod);
    });
  }

  gone(name: string): Promise<number> {
    return this.#until(`${name} is gone`, () => !this.#pods.has(`${namespace}/${name}`));
  }

  nodeReady(node: string): Promise<number> {
    return this.#until(`${node} is ready`, () => this.#isNodeReady(node));
  }

  restarts(name: string): number {
    const statuses = this.#pods.get(`${namespace}/${name}`)?.status?.containerStatuses ?? [];
    return statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  }

  #isNodeReady(name: string): boolean {
    const node = this.#nodes.get(`/${name}`);
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

  /** What it calls with is a copy that the next list replaces, as events of a watch that was cut off are lost. */
  #follow<T extends Pod | Node>(
    resource: Parameters<typeof apiPath>[0],
    know: (items: ReadonlyMap<string, T>) => void,
  ): void {
    const onChange = (items: ReadonlyMap<string, T>) => {
      const atMs = Date.now();
      know(items);
      for (const waiter of this.#waiters) if (waiter.matches()) waiter.done(atMs);
    };
    void reflect(
      { client: this.#client, path: apiPath(resource), onChange, log: silentLogger() },
      this.#signal,
    );
  }
}
