/**
 * Whose the endpoints are that rcl tells of. In DDS a gid begins with its participant, and the requests of a service are read
 * by an endpoint of a topic. On zenoh a gid is nothing but a number, and a service no topic: there a node stands for its
 * process, with gids of the port that begin with its name's digest. All nodes of this transport are one.
 */
import { createHash } from 'node:crypto';
import type { EndpointGid, NodeName } from '../transport.ts';
import type { RclEndpointInfo, RclNode } from './api.ts';

export interface Identities {
  /** Of the transport itself. */
  readonly prefix: string;
  endpoint(info: RclEndpointInfo): EndpointGid;
  /** The publisher of a sample, by the gid that the sample tells. */
  publisher(topic: string, told: EndpointGid): EndpointGid;
  /** What reads the requests of a service. */
  servers(service: string): EndpointGid[];
  /** Of which process the node is; undefined: its endpoints tell. */
  participant(node: NodeName): string | undefined;
  /** The graph is another than before. */
  forget(): void;
}

/** @param own the node of the transport that is there first */
export const identitiesOn = (
  rmw: string,
  node: RclNode,
  own: NodeName,
  isOwn: (node: NodeName) => boolean,
): Identities => (/^rmw_zenoh/.test(rmw) ? byNode(node, own, isOwn) : byParticipant(node, own));

/** Those of Humble are longer, with zeros behind. */
export const gidOf = (bytes: Iterable<number>): EndpointGid =>
  Buffer.from([...bytes].slice(0, 16)).toString('hex');

/** Characters of a gid that its participant's endpoints share. */
export const prefixLength = 24;

const suffixLength = 8;

function byParticipant(node: RclNode, own: NodeName): Identities {
  const first = node.getPublishersInfoByTopic('/parameter_events').find((info) => isOf(info, own));
  return {
    prefix: first === undefined ? '' : gidOf(first.endpoint_gid).slice(0, prefixLength),
    endpoint: ({ endpoint_gid }) => gidOf(endpoint_gid),
    publisher: (_topic, told) => told,
    // rcl tells services by number only, but DDS their topics.
    servers: (service) =>
      node
        .getSubscriptionsInfoByTopic(`rq${service}Request`, true)
        .map(({ endpoint_gid }) => gidOf(endpoint_gid)),
    participant: () => undefined,
    forget: () => undefined,
  };
}

function byNode(node: RclNode, own: NodeName, isOwn: (node: NodeName) => boolean): Identities {
  const prefix = digest(fullName(own), prefixLength);
  const participant = (of: NodeName): string => (isOwn(of) ? prefix : digest(fullName(of), prefixLength));
  const endpoint = (info: RclEndpointInfo): EndpointGid =>
    participant({ name: info.node_name, namespace: info.node_namespace }) +
    digest(gidOf(info.endpoint_gid), suffixLength);
  /** By the gid that is told: who publishes again and again is looked up once. */
  const publishers = new Map<EndpointGid, EndpointGid>();

  /** By service, the nodes that served it when they were asked last. */
  const servedBy = new Map<string, ReadonlySet<string>>();

  function serves(of: NodeName, service: string): boolean {
    try {
      return node.getServiceNamesAndTypesByNode(of.name, of.namespace).some(({ name }) => name === service);
    } catch {
      // rcl refuses to tell of a node that has gone meanwhile, in words that differ between the rmw. Of one that is still
      // there nothing is known: what was, holds.
      return (
        servedBy.get(service)?.has(fullName(of)) === true &&
        node
          .getNodeNamesAndNamespacesWithEnclaves()
          .some(({ name, namespace }) => name === of.name && namespace === of.namespace)
      );
    }
  }

  return {
    prefix,
    endpoint,
    publisher(topic, told) {
      if (!publishers.has(told))
        for (const info of node.getPublishersInfoByTopic(topic))
          publishers.set(gidOf(info.endpoint_gid), endpoint(info));
      return publishers.get(told) ?? told;
    },
    servers(service) {
      const found = new Set<EndpointGid>();
      const serving = new Set<string>();
      const wanted = node.countServices(service);
      const nodes = node.getNodeNamesAndNamespacesWithEnclaves();
      // Most services are named after their node, and there may be hundreds of nodes.
      const isNear = (of: NodeName) => service.startsWith(`${fullName(of)}/`);
      for (const of of [...nodes.filter(isNear), ...nodes.filter((each) => !isNear(each))]) {
        if (found.size >= wanted) break;
        if (!serves(of, service)) continue;
        serving.add(fullName(of));
        found.add(participant(of) + digest(service, suffixLength));
      }
      servedBy.set(service, serving);
      return [...found];
    },
    participant,
    forget: () => publishers.clear(),
  };
}

const isOf = (info: RclEndpointInfo, { name, namespace }: NodeName): boolean =>
  info.node_name === name && info.node_namespace === namespace;

const fullName = ({ name, namespace }: NodeName): string =>
  namespace === '/' ? `/${name}` : `${namespace}/${name}`;

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
