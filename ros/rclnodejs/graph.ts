/**
 * The graph as rcl tells it. rclnodejs has no way to wait for a change of it, and so it is looked at again and again while
 * somebody wants to know; that takes at most a twentieth of a core, however large the graph is.
 */
import type { EndpointGid, EndpointInfo, Graph, NodeName, ParticipantInfo } from '../transport.ts';
import type { RclEndpointInfo, RclNode } from './api.ts';
import { qosOf } from './qos.ts';

/** Why the servers of a service cannot be told apart on that RMW implementation; undefined: by their topics in DDS. */
export const serversProblem = (rmw: string): string | undefined =>
  /^rmw_zenoh/.test(rmw)
    ? `which servers a service has is not known on ${rmw}: they are found by the names that DDS gives their topics`
    : undefined;

const pollMs = 200;
const maxLoad = 0.05;

/** Characters of a gid that its participant's endpoints share. */
const prefixLength = 24;

export class RclGraph implements Graph {
  /** Hidden, as the nodes of tools are: its name begins with an underscore. */
  readonly #node: RclNode;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #digest = '';
  #participants: ReadonlyMap<string, ParticipantInfo> = new Map();
  #isClosed = false;

  constructor(node: RclNode) {
    this.#node = node;
  }

  nodes(): (NodeName & { participant: string })[] {
    const owners = new Map<string, string>();
    for (const { gid, node } of this.endpoints())
      if (node !== undefined) owners.set(`${node.namespace} ${node.name}`, gid.slice(0, prefixLength));
    return this.#visibleNodes().map(({ name, namespace }) => ({
      name,
      namespace,
      participant: owners.get(`${namespace} ${name}`) ?? '',
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

  /** What reads the requests of a service. rcl tells services by number only, but DDS their topics. */
  servers(service: string): EndpointGid[] {
    if (this.#isClosed) return [];
    return this.#node
      .getSubscriptionsInfoByTopic(`rq${service}Request`, true)
      .map(({ endpoint_gid }) => gidOf(endpoint_gid));
  }

  #lookAtParticipants(): void {
    const enclaves = new Map(
      this.#allNodes().map(({ enclave, name, namespace }) => [`${namespace} ${name}`, enclave]),
    );
    const found = new Map<string, ParticipantInfo>();
    for (const { gid, node } of this.endpoints()) {
      const prefix = gid.slice(0, prefixLength);
      const enclave = node === undefined ? '' : (enclaves.get(`${node.namespace} ${node.name}`) ?? '');
      const known = this.#participants.get(prefix);
      // The same object while nothing about it has changed.
      if (known !== undefined && (enclave === '' || known.enclave === enclave)) found.set(prefix, known);
      else if (!found.has(prefix) || enclave !== '')
        found.set(prefix, { prefix, enclave, locators: [], properties: {} });
    }
    this.#participants = found;
  }

  endpoints(topic?: string): EndpointInfo[] {
    if (this.#isClosed) return [];
    const topics = topic === undefined ? this.topics().map(({ name }) => name) : [topic];
    return topics.flatMap((name) => [
      ...this.#node.getPublishersInfoByTopic(name).map((info) => endpointInfo('publisher', name, info)),
      ...this.#node.getSubscriptionsInfoByTopic(name).map((info) => endpointInfo('subscription', name, info)),
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

function endpointInfo(kind: EndpointInfo['kind'], topic: string, info: RclEndpointInfo): EndpointInfo {
  const { endpoint_gid, node_name, node_namespace, qos_profile, topic_type, topic_type_hash } = info;
  const isNodeKnown = node_name !== '' && node_name !== '_NODE_NAME_UNKNOWN_';
  return {
    kind,
    gid: gidOf(endpoint_gid),
    topic,
    type: topic_type,
    typeHash:
      topic_type_hash?.version === 1 ? `RIHS01_${Buffer.from(topic_type_hash.value).toString('hex')}` : '',
    qos: qosOf(qos_profile),
    ...(isNodeKnown ? { node: { name: node_name, namespace: node_namespace } } : {}),
  };
}

/** Those of Humble are longer, with zeros behind. */
export const gidOf = (bytes: Iterable<number>): string =>
  Buffer.from([...bytes].slice(0, 16)).toString('hex');

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
