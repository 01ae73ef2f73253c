/**
 * The graph as rcl tells it. rclnodejs has no way to wait for a change of it, and so it is looked at again and again while
 * somebody wants to know; that takes at most a twentieth of a core, however large the graph is.
 */
import type { EndpointGid, EndpointInfo, Graph, NodeName, ParticipantInfo } from '../transport.ts';
import type { RclEndpointInfo, RclNode } from './api.ts';
import { gidOf, type Identities, prefixLength } from './identities.ts';
import { qosOf } from './qos.ts';

const pollMs = 200;
const maxLoad = 0.05;

export class RclGraph implements Graph {
  /** Hidden, as the nodes of tools are: its name begins with an underscore. */
  readonly #node: RclNode;
  readonly #identities: Identities;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #digest = '';
  #participants: ReadonlyMap<string, ParticipantInfo> = new Map();
  #isClosed = false;

  constructor(node: RclNode, identities: Identities) {
    this.#node = node;
    this.#identities = identities;
  }

  nodes(): (NodeName & { participant: string })[] {
    const owners = new Map<string, string>();
    for (const { gid, node } of this.endpoints())
      if (node !== undefined) owners.set(`${node.namespace} ${node.name}`, gid.slice(0, prefixLength));
    return this.#visibleNodes().map(({ name, namespace }) => ({
      name,
      namespace,
      participant:
        this.#identities.participant({ name, namespace }) ?? owners.get(`${namespace} ${name}`) ?? '',
    }));
  }

  participants(): ParticipantInfo[] {
    this.#lookAtParticipants();
    return [...this.#participants.values()];
  }

  participant(prefix: string): ParticipantInfo | undefined {
    if (!this.#participants.has(prefix)) this.#lookAtParticipants();
    return this.#participants.get(prefix);
  }

  /** What reads the requests of a service. */
  servers(service: string): EndpointGid[] {
    return this.#isClosed ? [] : this.#identities.servers(service);
  }

  /** The publisher of a sample, by the gid that the sample tells. */
  publisher(topic: string, told: Iterable<number>): EndpointGid {
    return this.#isClosed ? gidOf(told) : this.#identities.publisher(topic, gidOf(told));
  }

  #lookAtParticipants(): void {
    const nodes = this.#allNodes();
    const enclaves = new Map(nodes.map(({ enclave, name, namespace }) => [`${namespace} ${name}`, enclave]));
    const found = new Map<string, ParticipantInfo>();
    const note = (prefix: string, enclave: string): void => {
      const known = this.#participants.get(prefix);
      // The same object while nothing about it has changed.
      if (known !== undefined && (enclave === '' || known.enclave === enclave)) found.set(prefix, known);
      else if (!found.has(prefix) || enclave !== '')
        found.set(prefix, { prefix, enclave, locators: [], properties: {} });
    };
    for (const { gid, node } of this.endpoints())
      note(
        gid.slice(0, prefixLength),
        node === undefined ? '' : (enclaves.get(`${node.namespace} ${node.name}`) ?? ''),
      );
    for (const node of nodes) {
      const prefix = this.#identities.participant(node);
      if (prefix !== undefined) note(prefix, node.enclave);
    }
    this.#participants = found;
  }

  endpoints(topic?: string): EndpointInfo[] {
    if (this.#isClosed) return [];
    const topics = topic === undefined ? this.topics().map(({ name }) => name) : [topic];
    return topics.flatMap((name) => [
      ...this.#node
        .getPublishersInfoByTopic(name)
        .map((info) => endpointInfo('publisher', name, this.#identities.endpoint(info), info)),
      ...this.#node
        .getSubscriptionsInfoByTopic(name)
        .map((info) => endpointInfo('subscription', name, this.#identities.endpoint(info), info)),
    ]);
  }

  topics(): { name: string; types: string[] }[] {
    return this.#isClosed ? [] : this.#node.getTopicNamesAndTypes();
  }

  services(): { name: string; types: string[]; servers: number }[] {
    if (this.#isClosed) return [];
    return this.#node
      .getServiceNamesAndTypes()
      .map(({ name, types }) => ({ name, types, servers: this.#node.countServices(name) }));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (!this.#isClosed) this.#timer ??= setTimeout(() => this.#look(), 0);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  #allNodes() {
    return this.#isClosed ? [] : this.#node.getNodeNamesAndNamespacesWithEnclaves();
  }

  #visibleNodes() {
    return this.#allNodes().filter(({ name }) => !name.startsWith('_'));
  }

  #look(): void {
    const startedMs = performance.now();
    const digest = this.#describe();
    const tookMs = performance.now() - startedMs;
    this.#timer =
      this.#listeners.size === 0
        ? undefined
        : setTimeout(() => this.#look(), Math.max(pollMs, tookMs / maxLoad));
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#identities.forget();
    this.#lookAtParticipants();
    for (const listener of [...this.#listeners]) listener();
  }

  /** Enough to see that something changed. */
  #describe(): string {
    const nodes = this.#allNodes().map(({ name, namespace }) => `${namespace} ${name}`);
    const topics = this.topics().map(({ name, types }) => {
      const publishers = this.#node.getPublishersInfoByTopic(name).map(({ endpoint_gid }) => endpoint_gid);
      return [name, types, publishers, this.#node.countSubscribers(name)];
    });
    return JSON.stringify([nodes, topics, this.services()]);
  }
}

function endpointInfo(
  kind: EndpointInfo['kind'],
  topic: string,
  gid: EndpointGid,
  info: RclEndpointInfo,
): EndpointInfo {
  const { node_name, node_namespace, qos_profile, topic_type, topic_type_hash } = info;
  const isNodeKnown = node_name !== '' && node_name !== '_NODE_NAME_UNKNOWN_';
  return {
    kind,
    gid,
    topic,
    type: topic_type,
    typeHash:
      topic_type_hash?.version === 1 ? `RIHS01_${Buffer.from(topic_type_hash.value).toString('hex')}` : '',
    qos: qosOf(qos_profile),
    ...(isNodeKnown ? { node: { name: node_name, namespace: node_namespace } } : {}),
  };
}

/**
 * Which of the writers a sample is from. rmw_cyclonedds tells a number of its own in the place of the gid, eight bytes with
 * zeros behind them, where every gid ends with what kind of entity it is: whose such a sample is matters not where all writers
 * are accepted, or none; undefined: nobody can tell whether it is one of those.
 */
export function writerOf(
  told: EndpointGid,
  writers: readonly EndpointGid[],
  isAccepted: (writer: EndpointGid) => boolean,
): EndpointGid | undefined {
  if (!told.endsWith('0'.repeat(16))) return told;
  if (writers.some(isAccepted) && !writers.every(isAccepted)) return undefined;
  return writers[0] ?? told;
}
