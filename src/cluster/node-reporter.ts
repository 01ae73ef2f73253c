/**
 * The Node object in the API server: created when there is none, its status told when it changed and every few
 * minutes, and what others wrote there (labels, taints, conditions of theirs) read by a watch. A Node that was deleted
 * is registered again.
 */
import type { ContainerImage, Node, NodeCondition, NodeStatus } from '../api/core.gen.ts';
import type { ClusterConfig } from '../config/agent-config.ts';
import type { Logger } from '../log.ts';
import type { StartupStep } from '../metrics/node-startup.ts';
import { extendedOf } from '../resources/amounts.ts';
import { apiPath, type KubeClient, pause, retryDelayMs } from './client.ts';
import { covers, isNewer } from './covers.ts';
import { hasStatus } from './errors.ts';
import { reflect } from './reflector.ts';

export interface NodeReporterOptions {
  client: KubeClient;
  nodeName: string;
  nodeIps: readonly string[];
  config: ClusterConfig;
  /** As the machine is now. */
  local: { node(): Node; onChange(listener: () => void): () => void };
  /** The last known; undefined: not known yet. */
  images(): ContainerImage[] | undefined;
  /** How often it is looked whether there is something to tell. */
  statusUpdateMs: number;
  /** The Node was last told of before this boot of the machine. */
  onRebooted(bootId: string): void;
  /** On the way to a node; all but `registered` are told of one that was there, too. */
  onStartup(step: StartupStep): void;
  log: Logger;
}

export class NodeReporter {
  readonly #o: NodeReporterOptions;
  readonly #path: string;
  readonly #listeners = new Set<() => void>();
  #node: Node | undefined;
  /** The watch may show the Node before what registering it asks for is done. */
  #isRegistered = false;
  /** The answer to our last write, until the watch has shown it. */
  #written: Node | undefined;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #awake = false;
  #wakeUp: (() => void) | undefined;
  readonly #tried = Promise.withResolvers<void>();

  constructor(options: NodeReporterOptions) {
    this.#o = options;
    this.#path = apiPath({ resource: 'nodes', name: options.nodeName });
  }

  /** As the API server has it; undefined until it was asked. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Called when labels, taints or the identity of the Node changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves when the status was told, or could not be at the first try, or the signal of `run` aborted. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** @param isUp the agent has all that it needs to run pods: before that no status is told */
  async run(isUp: Promise<void>, signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#o.local.onChange(() => this.#wake());
    // An agent that ends before the first try has tried all that it will, and nobody may wait for more.
    const telling = this.#keepTelling(isUp, signal).finally(() => this.#tried.resolve());
    await Promise.all([telling, this.#watch(signal)]);
    unsubscribe();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, nodeName, log } = this.#o;
    // What it would show first is asked for by itself.
    await this.#tried.promise;
    await reflect<Node>(
      {
        client,
        path: apiPath({ resource: 'nodes' }),
        query: { fieldSelector: `metadata.name=${nodeName}` },
        trim: withoutManagedFields,
        onChange: (items, isList) => this.#watched([...items.values()][0], isList),
        log,
      },
      signal,
    );
  }

  #watched(node: Node | undefined, isList: boolean): void {
    const before = this.#node;
    if (node === undefined) {
      if (before === undefined) return;
      this.#o.log.warn('the Node object was deleted, registering anew');
      this.#node = undefined;
      this.#isRegistered = false;
      this.#wake();
      return;
    }
    const isAhead =
      !isList && isSame(this.#written, node) && isNewer(this.#written, node) ? this.#written : undefined;
    this.#written = isAhead;
    this.#take(isAhead ?? node);
    // Others tell of extended resources.
    const [told, tells] = [before, this.#node].map((each) => extendedOf(each?.status?.capacity));
    if (!covers(told, tells) || !covers(tells, told)) this.#wake();
    // The node controller may have given us up meanwhile.
    if (!covers(this.#node?.status?.conditions, before?.status?.conditions)) this.#wake();
  }

  /** What the API server answered to us is known before the watch shows it. */
  #answered(node: Node): void {
    if (isSame(this.#node, node) && !isNewer(node, this.#node)) return;
    this.#written = withoutManagedFields(node);
    this.#take(this.#written);
  }

  #take(node: Node): void {
    const before = factsOf(this.#node);
    const facts = factsOf(node);
    this.#node = node;
    if (covers(before, facts) && covers(facts, before)) return;
    for (const listener of this.#listeners) listener();
  }

  async #keepTelling(isUp: Promise<void>, signal: AbortSignal): Promise<void> {
    const { client, log, statusUpdateMs } = this.#o;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = statusUpdateMs * (0.98 + Math.random() * 0.04);
      try {
        if (!this.#isRegistered) await this.#register(isUp, signal);
        this.#isRegistered = true;
        await isUp;
        this.#awake = false;
        await this.#tell(signal);
        this.#tried.resolve();
        if (failures > 0) log.info('the status of the node is told again');
        failures = 0;
      } catch (err) {
        this.#tried.resolve();
        if (signal.aborted) return;
        // Deleted under our hands: the next round registers it.
        if (hasStatus(err, 404)) {
          this.#node = undefined;
          this.#isRegistered = false;
        }
        failures += 1;
        if (failures === 1) log.warn({ err }, 'cannot tell the status of the node, going on trying');
        waitMs = Math.min(retryDelayMs(failures, err, { initialMs: 200, maxMs: 10_000 }), statusUpdateMs);
        await client.untilRetry(waitMs, signal);
        continue;
      }
      await this.#pause(waitMs, signal);
    }
  }

  /** @throws ApiStatusError 404 when there is no Node and we are not to make one */
  async #register(isUp: Promise<void>, signal: AbortSignal): Promise<void> {
    const { client, config, log } = this.#o;
    this.#o.onStartup('registering');
    let node: Node;
    try {
      node = await client.get<Node>(this.#path, signal);
    } catch (error) {
      if (!hasStatus(error, 404) || !config.registerNode) throw error;
      await isUp;
      node = await client.create<Node>(apiPath({ resource: 'nodes' }), this.#wanted(), signal);
      log.info('registered the node');
      this.#o.onStartup('registered');
      this.#answered(node);
      return;
    }
    this.#o.onStartup('known');
    const [before, bootId] = [node, this.#o.local.node()].map(({ status }) => status?.nodeInfo?.bootID ?? '');
    // An existing Node keeps what others set; only what the machine itself says is put right.
    const labels = Object.fromEntries(
      Object.entries(this.#o.local.node().metadata?.labels ?? {}).filter(([name]) => machineLabels.has(name)),
    );
    const { annotations } = this.#wanted().metadata ?? {};
    if (!covers(node.metadata?.labels, labels) || !covers(node.metadata?.annotations, annotations)) {
      node = await client.patch<Node>(this.#path, { metadata: { labels, annotations } }, signal);
    }
    // Now that it cannot fail, and be told again by the next try.
    if (before && bootId && before !== bootId) this.#o.onRebooted(bootId);
    this.#answered(node);
  }

  #wanted(): Node {
    const { nodeIps, config, local } = this.#o;
    const { metadata, spec, status } = local.node();
    const taints = [
      ...(spec?.taints ?? []),
      ...config.taints,
      ...(config.externalCloudProvider
        ? [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }]
        : []),
    ];
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: metadata?.name,
        labels: metadata?.labels,
        annotations: {
          'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
          ...(config.externalCloudProvider && nodeIps.length > 0
            ? { 'alpha.kubernetes.io/provided-node-ip': nodeIps.join(',') }
            : {}),
        },
      },
      spec: {
        ...(taints.length > 0 ? { taints } : {}),
        ...(config.providerId === '' ? {} : { providerID: config.providerId }),
      },
      status,
    };
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { client, config, local } = this.#o;
    const theirs = this.#node?.status;
    const { addresses = [], conditions = [], ...rest } = local.node().status ?? {};
    const images = this.#o.images();
    const status: NodeStatus = {
      ...rest,
      allocatable: { ...rest.allocatable, ...extendedOf(theirs?.capacity) },
      ...(config.externalCloudProvider ? {} : { addresses }),
      conditions: conditions.map((condition) => sinceThen(condition, theirs?.conditions)),
      ...(images === undefined ? {} : { images }),
    };
    const isDue = performance.now() - this.#reportedAtMs >= config.statusReportMs;
    if (!isDue && says(theirs, status) && Object.keys(withdrawn(theirs)).length === 0) return;
    const node = await client.patch<Node>(
      `${this.#path}/status`,
      {
        status: {
          ...status,
          allocatable: { ...withdrawn(theirs), ...status.allocatable },
          // By type they would be merged, and old ones stay.
          ...(config.externalCloudProvider ? {} : { addresses: [{ $patch: 'replace' }, ...addresses] }),
        },
      },
      signal,
    );
    this.#reportedAtMs = performance.now();
    if (conditions.some(({ type, status }) => type === 'Ready' && status === 'True'))
      this.#o.onStartup('ready');
    this.#answered(node);
  }

  #wake(): void {
    this.#awake = true;
    this.#wakeUp?.();
  }

  /** Until it is time, or something changed; then a moment longer, as changes come in groups and may go on and on. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    this.#wakeUp = () => waking.abort();
    if (!this.#awake) await pause(ms, AbortSignal.any([waking.signal, signal]));
    this.#wakeUp = undefined;
    await pause(Math.max(settleMs, this.#reportedAtMs + leastMs - performance.now()), signal);
  }
}

/** Between two reports, whatever happens. */
const leastMs = 1000;
const settleMs = 100;

const machineLabels = new Set(['kubernetes.io/hostname', 'kubernetes.io/os', 'kubernetes.io/arch']);

const isSame = (a: Node | undefined, b: Node): a is Node => a?.metadata?.uid === b.metadata?.uid;

const factsOf = (node: Node | undefined): unknown =>
  node && {
    uid: node.metadata?.uid,
    labels: node.metadata?.labels,
    taints: node.spec?.taints,
    unschedulable: node.spec?.unschedulable,
    extended: extendedOf(node.status?.allocatable),
  };

/** What others told that the node has, and tell no more. */
function withdrawn({ capacity = {}, allocatable }: NodeStatus = {}): Record<string, null> {
  const names = Object.keys(extendedOf(allocatable)).filter((name) => !(name in capacity));
  return Object.fromEntries(names.map((name) => [name, null]));
}

/** A restart of the agent is no transition. */
function sinceThen(condition: NodeCondition, theirs: readonly NodeCondition[] = []): NodeCondition {
  const known = theirs.find(({ type }) => type === condition.type);
  if (known?.status !== condition.status || known.lastTransitionTime === undefined) return condition;
  return { ...condition, lastTransitionTime: known.lastTransitionTime };
}

function says(theirs: NodeStatus | undefined, { conditions = [], ...rest }: NodeStatus): boolean {
  return (
    covers(theirs, rest) &&
    conditions.every(({ lastHeartbeatTime: _, ...condition }) =>
      covers(
        theirs?.conditions?.find(({ type }) => type === condition.type),
        condition,
      ),
    )
  );
}

function withoutManagedFields(node: Node): Node {
  return { ...node, metadata: { ...node.metadata, managedFields: undefined } };
}
