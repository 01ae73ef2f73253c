import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '../transport.ts';
import type { RclEndpointInfo, RclNode } from './api.ts';
import { RclGraph } from './graph.ts';
import { gidOf, identitiesOn } from './identities.ts';

const hidden = { name: '_roslet', namespace: '/' };
const agent = { name: 'roslet', namespace: '/r2_d2' };
const driver = { name: 'driver', namespace: '/lab' };

/** As rmw_zenoh makes them: nothing in one tells of which process it is. */
const gids = {
  hidden: '4a7d1ed414474e4033ac29ccb8653d9b',
  agent: 'e1671797c52e15f763380b45e841ec32',
  driver: '8fa14cdd754f91cc6554c9e71929cce7',
};

const publisher = ({ name, namespace }: NodeName, gid: string) =>
  ({
    node_name: name,
    node_namespace: namespace,
    topic_type: 'std_msgs/msg/Empty',
    endpoint_gid: [...Buffer.from(gid, 'hex')],
    qos_profile: {
      lifespan: { seconds: 0n, nanoseconds: 0 },
      deadline: { seconds: 0n, nanoseconds: 0 },
      liveliness_lease_duration: { seconds: 0n, nanoseconds: 0 },
    },
  }) as unknown as RclEndpointInfo;

/** What rcl tells, and how often it was asked for publishers and for the services of which nodes. */
let publishers: RclEndpointInfo[];
let services: Map<NodeName, string[]>;
let lookUps: number;
let asked: string[];
beforeEach(() => {
  publishers = [publisher(hidden, gids.hidden), publisher(agent, gids.agent), publisher(driver, gids.driver)];
  services = new Map<NodeName, string[]>([
    [hidden, []],
    [agent, ['/r2_d2/roslet/list']],
    [driver, ['/lab/driver/get_state', '/plan']],
  ]);
  lookUps = 0;
  asked = [];
});

const node = {
  getPublishersInfoByTopic: () => {
    lookUps++;
    return publishers;
  },
  getSubscriptionsInfoByTopic: () => [],
  getTopicNamesAndTypes: () => [{ name: '/beat', types: ['std_msgs/msg/Empty'] }],
  getNodeNamesAndNamespacesWithEnclaves: () =>
    [...services.keys()].map((each) => ({ ...each, enclave: '/' })),
  getServiceNamesAndTypesByNode: (name: string) => {
    asked.push(name);
    const [, names] = [...services].find(([each]) => each.name === name) ?? [];
    if (names === undefined) throw new Error('node name not found');
    return names.map((service) => ({ name: service, types: [] }));
  },
  countServices: (service: string) => [...services.values()].flat().filter((each) => each === service).length,
} as unknown as RclNode;

const identities = (rmw: string) =>
  identitiesOn(rmw, node, hidden, ({ name }) => name === 'roslet' || name === '_roslet');
const participantOf = (gid = '') => gid.slice(0, 24);

describe('on zenoh a node stands for its process', () => {
  const onZenoh = () => identities('rmw_zenoh_cpp');

  it('endpoints of one node share a participant, which those of others do not', () => {
    const { endpoint } = onZenoh();
    const [beat, other] = [publisher(driver, gids.driver), publisher(driver, gids.hidden)];
    expect(endpoint(beat)).toHaveLength(32);
    expect(endpoint(beat)).not.toBe(endpoint(other));
    expect(participantOf(endpoint(beat))).toBe(participantOf(endpoint(other)));
    expect(participantOf(endpoint(beat))).not.toBe(participantOf(endpoint(publisher(agent, gids.agent))));
  });

  it('publishers of two processes with nodes of one name are told apart, however alike their gids are', () => {
    const known = onZenoh();
    const other = `${gids.driver.slice(0, -1)}0`;
    publishers = [publisher(driver, gids.driver), publisher(driver, other)];
    const told = [gids.driver, other].map((gid) => known.publisher('/beat', gid));
    expect(told[0]).not.toBe(told[1]);
    expect(publishers.map(known.endpoint)).toEqual(told);
  });

  it('all nodes of the transport are its own', () => {
    const { endpoint, prefix } = onZenoh();
    expect(prefix).toHaveLength(24);
    for (const own of [hidden, agent])
      expect(participantOf(endpoint(publisher(own, gids.agent)))).toBe(prefix);
  });

  it('a sample is of the publisher whose gid it tells, which is looked up once', () => {
    const known = onZenoh();
    const beat = known.endpoint(publisher(driver, gids.driver));
    for (let i = 0; i < 3; i++) expect(known.publisher('/beat', gids.driver)).toBe(beat);
    expect(lookUps).toBe(1);
    known.forget();
    publishers = [];
    expect(known.publisher('/beat', gids.driver)).toBe(gids.driver);
  });

  it('the servers of a service are the nodes that serve it, which are of the participant of their publishers', () => {
    const known = onZenoh();
    const beat = known.endpoint(publisher(driver, gids.driver));
    for (const service of ['/lab/driver/get_state', '/plan'])
      expect(known.servers(service).map(participantOf)).toEqual([participantOf(beat)]);
    expect(known.servers('/nobody')).toEqual([]);
  });

  it('asks the node after which a service is named first, and no more than serve it', () => {
    onZenoh().servers('/lab/driver/get_state');
    expect(asked).toEqual(['driver']);
  });

  it('a node that goes while it is asked serves nothing', () => {
    const known = onZenoh();
    const all = [...services.keys()];
    const gone = {
      ...node,
      getNodeNamesAndNamespacesWithEnclaves: () => all,
      countServices: () => 1,
    } as unknown as RclNode;
    services.delete(driver);
    expect(identitiesOn('rmw_zenoh_cpp', gone, hidden, () => false).servers('/plan')).toEqual([]);
    expect(known.servers('/plan')).toEqual([]);
  });

  it('a node that cannot be asked serves what it did, for as long as it is there', () => {
    let fails = false;
    let isThere = true;
    const busy = {
      ...node,
      getNodeNamesAndNamespacesWithEnclaves: () => (isThere ? [...services.keys()] : []),
      countServices: () => 1,
      getServiceNamesAndTypesByNode: (name: string, namespace: string) => {
        if (fails) throw new Error('bad_alloc');
        return node.getServiceNamesAndTypesByNode(name, namespace);
      },
    } as unknown as RclNode;
    const known = identitiesOn('rmw_zenoh_cpp', busy, hidden, () => false);
    const before = known.servers('/plan');
    expect(before).toHaveLength(1);
    fails = true;
    expect(known.servers('/plan')).toEqual(before);
    known.forget();
    expect(known.servers('/plan')).toEqual(before);
    expect(known.servers('/other')).toEqual([]);
    isThere = false;
    expect(known.servers('/plan')).toEqual([]);
  });

  it('the graph names one participant for a node, its endpoints and itself', () => {
    publishers = [publisher(driver, gids.driver)];
    const graph = new RclGraph(node, onZenoh());
    const [endpoint] = graph.endpoints('/beat');
    const found = graph.nodes().find(({ name }) => name === 'driver');
    expect(participantOf(endpoint?.gid)).toBe(found?.participant);
    // Also of one without an endpoint of a topic.
    for (const { participant } of graph.nodes())
      expect(graph.participant(participant)).toMatchObject({
        prefix: participant,
        enclave: '/',
        locators: [],
      });
  });
});

describe('on DDS a gid tells its participant', () => {
  it('gids are those that rcl tells, and the own prefix is that of its first node', () => {
    const { endpoint, participant, prefix, publisher: publisherOf } = identities('rmw_fastrtps_cpp');
    expect(endpoint(publisher(driver, gids.driver))).toBe(gids.driver);
    expect(publisherOf('/beat', gids.driver)).toBe(gids.driver);
    expect(prefix).toBe(participantOf(gids.hidden));
    expect(participant(driver)).toBeUndefined();
  });

  it('a gid of Humble is longer', () => {
    expect(gidOf([...Buffer.from(gids.driver, 'hex'), ...Array<number>(8).fill(0)])).toBe(gids.driver);
  });
});
