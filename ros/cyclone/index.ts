/**
 * The embedded ROS 2 transport: Cyclone DDS in the process, on the wire as rmw_cyclonedds, with no ROS 2 on the host.
 * One participant carries all nodes.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from '../../src/log.ts';
import {
  type DiscoveryOptions,
  type NodeOptions,
  type RosNode,
  type RosTransport,
  type TopicWatch,
  type TransportCapabilities,
  TransportError,
  type WatchEvent,
  type WatchOptions,
} from '../transport.ts';
import { Announcer } from './announcer.ts';
import { cycloneConfig } from './config.ts';
import { participantError } from './failure.ts';
import { CycloneGraph } from './graph.ts';
import { loadNative, type NativeModule } from './native.ts';
import { CycloneNode } from './node.ts';
import { Participant } from './participant.ts';
import { CycloneWatch } from './watch.ts';

export interface CycloneOptions {
  /** The compiled addon. */
  addonPath: string;
  discovery: DiscoveryOptions;
  log: Logger;
}

/** @throws TransportError */
export function cycloneTransport({ addonPath, discovery, log }: CycloneOptions): RosTransport {
  const native = load(addonPath);
  const config = cycloneConfig(discovery, `roslet_${randomUUID()}`);
  return new CycloneTransport(native, participant(native, discovery, config, log), discovery.domainId, log);
}

function load(addonPath: string): NativeModule {
  try {
    return loadNative(addonPath);
  } catch (cause) {
    throw new TransportError(
      `The ROS 2 transport could not be loaded from ${addonPath}: ${(cause as Error).message.split('\n')[0]}. It is built by make build, where a C++ compiler and cmake are installed`,
      false,
      { cause },
    );
  }
}

function participant(native: NativeModule, discovery: DiscoveryOptions, config: string, log: Logger) {
  try {
    return new Participant(native, discovery.domainId, config, log);
  } catch (cause) {
    throw participantError(discovery.domainId, cause as Error);
  }
}

class CycloneTransport implements RosTransport {
  readonly description: string;
  readonly capabilities: TransportCapabilities;
  readonly domainId: number;
  readonly prefix: string;
  readonly graph: CycloneGraph;
  readonly #participant: Participant;
  readonly #announcer: Announcer;
  readonly #nodes = new Set<CycloneNode>();
  readonly #log: Logger;
  #closing: Promise<void> | undefined;

  constructor(native: NativeModule, participant: Participant, domainId: number, log: Logger) {
    this.description = `cyclone (Cyclone DDS ${native.version})`;
    this.capabilities = {
      timeQos: true,
      endpointEvents: true,
      nativeWatch: true,
      anyType: true,
      tellsWriters: true,
      servesAllVendors: native.hasRelatedSampleIdentity,
      participantDetails: true,
      participantLease: true,
      humbleGraph: true,
    };
    this.domainId = domainId;
    this.prefix = participant.prefix;
    this.#participant = participant;
    this.#log = log;
    this.graph = new CycloneGraph(participant.prefix, log);
    participant.watchGraph(this.graph);
    this.#announcer = new Announcer(participant, this.graph);
  }

  createNode(name: string, namespace: string, _options: NodeOptions = {}): RosNode {
    const node = new CycloneNode({
      name,
      namespace,
      participant: this.#participant,
      announcer: this.#announcer,
      graph: this.graph,
      log: this.#log,
      onClose: () => this.#nodes.delete(node),
    });
    this.#nodes.add(node);
    return node;
  }

  watchTopic(topic: string, options: WatchOptions, onEvent: (event: WatchEvent) => void): TopicWatch {
    return new CycloneWatch(this.#participant, topic, options, onEvent);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const node of this.#nodes) node.close();
    this.#announcer.close();
    this.graph.close();
    await this.#participant.close();
  }
}
