/**
 * What is on the domain: participants and endpoints as the library discovers them, nodes as `ros_discovery_info` tells
 * them. Everything here comes from the network and is bounded by what is alive there.
 */
import type { Logger } from '../../src/log.ts';
import type { EndpointGid, EndpointInfo, Graph, NodeName, ParticipantInfo } from '../transport.ts';
import type { NodeEntities, ReceivedEntities } from './discovery-info.ts';
import { rosServiceType, rosTopic, rosType, serviceOfTopic } from './names.ts';
import type { NativeEndpointDescription, NativeParticipantDescription } from './native.ts';

/** Changes that come within this time are told once. */
const settleMs = 10;
const prefixDigits = 24;
/** Endpoints by which the library shows its own discovery to us. */
const builtinTopics = new Set(['DCPSParticipant', 'DCPSPublication', 'DCPSSubscription']);

type Endpoint = Omit<EndpointInfo, 'node'>;

export class CycloneGraph implements Graph {
  readonly #ownPrefix: string;
  readonly #participants = new Map<string, ParticipantInfo>();
  readonly #endpoints = new Map<EndpointGid, Endpoint>();
  /** By topic name, as almost every question is about one. */
  readonly #byTopic = new Map<string, Map<EndpointGid, Endpoint>>();
  /** What each writer of `ros_discovery_info` said last. */
  readonly #announced = new Map<EndpointGid, NodeEntities[]>();
  /** Of this participant. */
  readonly #own = new Set<EndpointGid>();
  readonly #nodeOfEndpoint = new Map<EndpointGid, NodeName>();
  readonly #listeners = new Set<() => void>();
  #settling: NodeJS.Timeout | undefined;

  readonly #log: Logger;

  constructor(ownPrefix: string, log: Logger) {
    this.#ownPrefix = ownPrefix;
    this.#log = log;
  }

  nodes(): (NodeName & { participant: string })[] {
    return [...this.#announced].flatMap(([writer, nodes]) =>
      nodes.map(({ name, namespace }) => ({ name, namespace, participant: writer.slice(0, prefixDigits) })),
    );
  }

  participants(): ParticipantInfo[] {
    return [...this.#participants.values()];
  }

  participant(prefix: string): ParticipantInfo | undefined {
    return this.#participants.get(prefix);
  }

  endpoints(topic?: string): EndpointInfo[] {
    const found = topic === undefined ? this.#endpoints : this.#byTopic.get(topic);
    return [...(found?.values() ?? [])].map((endpoint) => ({
      ...endpoint,
      node: this.#nodeOfEndpoint.get(endpoint.gid),
    }));
  }

  topics(): { name: string; types: string[] }[] {
    const topics: { name: string; types: string[] }[] = [];
    for (const [name, endpoints] of this.#byTopic) {
      if (name.startsWith('/')) topics.push({ name, types: distinct(endpoints.values(), (e) => e.type) });
    }
    return topics;
  }

  services(): { name: string; types: string[]; servers: number }[] {
    const services = new Map<string, { types: Set<string>; servers: number }>();
    for (const [topic, endpoints] of this.#byTopic) {
      const service = serviceOfTopic(topic);
      if (!service) continue;
      const entry = services.get(service.name) ?? { types: new Set(), servers: 0 };
      services.set(service.name, entry);
      for (const { kind, type } of endpoints.values()) {
        entry.types.add(rosServiceType(type));
        // Each server reads requests.
        if (service.side === 'request' && kind === 'subscription') entry.servers++;
      }
    }
    return [...services].map(([name, { types, servers }]) => ({ name, types: [...types], servers }));
  }

  onChange(listener: () => void): () => void {
    // Twice the same function is two subscriptions.
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  // --- for the transport

  get own(): ReadonlySet<EndpointGid> {
    return this.#own;
  }

  onParticipant(gid: EndpointGid, description: NativeParticipantDescription | undefined): void {
    const prefix = gid.slice(0, prefixDigits);
    if (description) {
      const { properties, userData } = description;
      this.#participants.set(prefix, {
        prefix,
        enclave: userDataField(userData, 'enclave') ?? '',
        locators: locators(description.locators),
        properties,
      });
    } else {
      this.#participants.delete(prefix);
    }
    this.#changed();
  }

  onEndpoint(
    kind: EndpointInfo['kind'],
    gid: EndpointGid,
    description: NativeEndpointDescription | undefined,
  ): void {
    const known = this.#endpoints.get(gid);
    if (known) {
      this.#endpoints.delete(gid);
      this.#own.delete(gid);
      const sameTopic = this.#byTopic.get(known.topic);
      sameTopic?.delete(gid);
      if (sameTopic?.size === 0) this.#byTopic.delete(known.topic);
    }
    if (description) {
      const isOwn = gid.startsWith(this.#ownPrefix);
      if (isOwn && builtinTopics.has(description.topic)) return;
      if (isOwn) this.#own.add(gid);
      const topic = rosTopic(description.topic);
      const endpoint: Endpoint = {
        kind,
        gid,
        topic,
        type: rosType(description.type),
        typeHash: userDataField(description.userData, 'typehash') ?? '',
        qos: description.qos,
      };
      this.#endpoints.set(gid, endpoint);
      const sameTopic = this.#byTopic.get(topic) ?? new Map();
      this.#byTopic.set(topic, sameTopic.set(gid, endpoint));
    }
    this.#changed();
  }

  /** Undefined when its writer is gone. */
  onEntities(writer: EndpointGid, entities: Pick<ReceivedEntities, 'nodes'> | undefined): void {
    if (entities) this.#announced.set(writer, entities.nodes);
    else if (!this.#announced.delete(writer)) return;
    this.#nodeOfEndpoint.clear();
    for (const nodes of this.#announced.values()) {
      for (const { name, namespace, readers, writers } of nodes) {
        for (const gid of [...readers, ...writers]) this.#nodeOfEndpoint.set(gid, { name, namespace });
      }
    }
    this.#changed();
  }

  close(): void {
    clearTimeout(this.#settling);
    this.#listeners.clear();
  }

  #changed(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      for (const listener of this.#listeners) {
        try {
          listener();
        } catch (err) {
          this.#log.error({ err }, 'a change of the ROS 2 graph could not be followed');
        }
      }
    }, settleMs);
  }
}

function distinct<T>(values: Iterable<T>, key: (value: T) => string): string[] {
  return [...new Set(Array.from(values, key))];
}

/** USER_DATA of ROS 2 is `key=value;key=value;`. */
export function userDataField(userData: string | undefined, key: string): string | undefined {
  for (const field of userData?.split(';') ?? []) {
    const at = field.indexOf('=');
    if (at > 0 && field.slice(0, at) === key) return field.slice(at + 1);
  }
  return undefined;
}

/** `udp/192.168.1.7:7411@2,tcp/…`; a participant of this process has none. */
export function locators(text: string | undefined): ParticipantInfo['locators'] {
  return [...(text ?? '').matchAll(/(?:^|,)\w+\/(?:\[([^\]]+)\]|([^,:]+)):(\d+)(?:@\d+)?(?=,|$)/g)].map(
    ([, v6, v4, port]) => ({ address: (v6 ?? v4)!, port: Number(port) }),
  );
}
