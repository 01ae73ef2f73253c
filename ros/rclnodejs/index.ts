/**
 * The transport on rclnodejs: whatever RMW implementation the sourced ROS 2 runs on, with its shared memory and security.
 * What rclnodejs cannot do is told by `capabilitiesOn`; docs/decisions/0017 says what follows from it.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from '../../src/log.ts';
import {
  type DiscoveryOptions,
  type NodeName,
  type NodeOptions,
  type RosNode,
  type RosTransport,
  type TopicWatch,
  type TransportCapabilities,
  TransportError,
  type WatchEvent,
  type WatchOptions,
} from '../transport.ts';
import type { RclContext, RclNode, Rclnodejs } from './api.ts';
import { RclGraph } from './graph.ts';
import { identitiesOn } from './identities.ts';
import { RclRosNode } from './node.ts';
import { typeFinder } from './types.ts';
import { RclWatch } from './watch.ts';

/** @param rmw identifier of the RMW implementation */
export const capabilitiesOn = (rmw: string): TransportCapabilities => ({
  timeQos: false,
  endpointEvents: false,
  nativeWatch: false,
  anyType: false,
  // It gives them a number of its own in the place of the gid.
  tellsWriters: !/^rmw_cyclonedds/.test(rmw),
  servesAllVendors: false,
  participantDetails: false,
  participantLease: false,
  humbleGraph: true,
});

/** Of the first node, which gets endpoints at any time, and of others, which have all of theirs from the beginning. */
const [firstSpinMs, otherSpinMs] = [10, 30];

export interface RclnodejsOptions {
  rclnodejs: Rclnodejs;
  /** Its version, for people. */
  version: string;
  discovery: DiscoveryOptions;
  log: Logger;
}

/** @throws TransportError */
export function rclnodejsTransport(options: RclnodejsOptions): RosTransport {
  const { discovery, log, rclnodejs } = options;
  const context = new rclnodejs.Context(BigInt(discovery.domainId));
  try {
    withEnvironment(discovery, () => {
      rclnodejs.init(context, []).catch((err: unknown) => log.error({ err }, 'rclnodejs'));
      if (!context.isValid()) throw new Error('the context could not be initialized');
    });
    const ownName = `_roslet_${randomBytes(6).toString('hex')}`;
    const own = createNode(rclnodejs, context, ownName, '/', log);
    return new RclnodejsTransport(options, context, own, ownName);
  } catch (cause) {
    if (context.isValid()) context.shutdown();
    throw new TransportError(
      `rclnodejs cannot take part in ROS 2 domain ${discovery.domainId}: ${(cause as Error).message}`,
      true,
      { cause },
    );
  }
}

class RclnodejsTransport implements RosTransport {
  readonly description: string;
  readonly capabilities: TransportCapabilities;
  readonly domainId: number;
  readonly prefix: string;
  readonly graph: RclGraph;
  readonly #rclnodejs: Rclnodejs;
  readonly #context: RclContext;
  readonly #log: Logger;
  /** Asks for the graph, and carries what belongs to no node. */
  readonly #own: RclRosNode;
  readonly #nodes = new Set<RclRosNode>();
  readonly #watches = new Set<RclWatch>();
  #isClosed = false;

  constructor(
    { discovery, log, rclnodejs, version }: RclnodejsOptions,
    context: RclContext,
    own: RclNode,
    ownName: string,
  ) {
    this.#rclnodejs = rclnodejs;
    this.#context = context;
    this.#log = log;
    this.domainId = discovery.domainId;
    const rmw = own.getRMWImplementationIdentifier();
    const ownNode = { name: ownName, namespace: '/' };
    const isOwn = ({ name, namespace }: NodeName): boolean =>
      name === ownName || [...this.#nodes].some((node) => node.name === name && node.namespace === namespace);
    const identities = identitiesOn(rmw, own, ownNode, isOwn);
    this.prefix = identities.prefix;
    this.graph = new RclGraph(own, identities);
    this.#own = this.#wrap(own, { name: '', namespace: '/' });
    this.description = `rclnodejs ${version} (${rmw})`;
    this.capabilities = capabilitiesOn(rmw);
  }

  createNode(name: string, namespace: string, _options: NodeOptions = {}): RosNode {
    const node = this.#wrap(createNode(this.#rclnodejs, this.#context, name, namespace, this.#log), {
      name,
      namespace,
    });
    this.#nodes.add(node);
    return node;
  }

  watchTopic(topic: string, options: WatchOptions, onEvent: (event: WatchEvent) => void): TopicWatch {
    const [node = this.#own] = this.#nodes;
    const watch: RclWatch = new RclWatch({
      topic,
      options,
      onEvent,
      node,
      graph: this.graph,
      onClose: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const watch of [...this.#watches]) watch.close();
    for (const node of [...this.#nodes]) node.close();
    this.graph.close();
    this.#own.close();
    this.#context.shutdown();
  }

  #wrap(inner: RclNode, name: { name: string; namespace: string }): RclRosNode {
    const node: RclRosNode = new RclRosNode({
      ...name,
      inner,
      rclnodejs: this.#rclnodejs,
      types: typeFinder(this.#rclnodejs),
      graph: this.graph,
      log: this.#log,
      spinMs: this.#nodes.size === 0 ? firstSpinMs : otherSpinMs,
      onClose: () => this.#nodes.delete(node),
    });
    return node;
  }
}

/** Without what rclnodejs would add to it by itself: that is the bridge's. */
function createNode(
  rclnodejs: Rclnodejs,
  context: RclContext,
  name: string,
  namespace: string,
  log: Logger,
): RclNode {
  const options = new rclnodejs.NodeOptions();
  options.startParameterServices = false;
  options.startTypeDescriptionService = false;
  options.enableRosout = false;
  const node = new rclnodejs.Node(name, namespace, context, options, [], false);
  const execute = node.execute.bind(node);
  // Called from C++: what is thrown there, as by a sample that is malformed, would end the agent.
  node.execute = (handles) => {
    try {
      execute(handles);
    } catch (err) {
      log.warn({ err, node: name }, 'rclnodejs could not take what came');
    }
  };
  return node;
}

/** rcl reads how to discover from the environment, while the context is made. */
function withEnvironment({ range, staticPeers }: DiscoveryOptions, act: () => void): void {
  const wanted: Record<string, string> = {
    ROS_AUTOMATIC_DISCOVERY_RANGE: range.toUpperCase(),
    ROS_STATIC_PEERS: staticPeers.join(';'),
  };
  const before = Object.keys(wanted).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, wanted);
  try {
    act();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
