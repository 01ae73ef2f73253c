/**
 * The transport among programs by other people: what unsuspecting ROS 2 nodes and plain DDS programs read, call and see of
 * us, and what we hear of them.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { ChangeState, GetState, State, Transition } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { ParticipantEntitiesInfo } from '../../ros/messages/gen/rmw_dds_common.ts';
import { PodStatus } from '../../ros/messages/gen/roslet_msgs.ts';
import * as std_msgs from '../../ros/messages/gen/std_msgs.ts';
import type { RosProbeSpec, RosProbeTarget } from '../../ros/prober.ts';
import { otherDomain } from '../../ros/probes/domains.ts';
import { watchOn } from '../../ros/probes/kinds.ts';
import { udpSocketReader } from '../../ros/probes/ownership.ts';
import type { QosProfile, RosNode, RosTransport, WatchEvent } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { missingForPeer, type RosPeer, rosPeerKinds, startRosPeer } from '../peers/ros/peer.ts';

const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');
const domainId = randomInt(62, 80);
const latched: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 1,
};
const volatileQos: QosProfile = { ...latched, durability: 'volatile', depth: 10 };

let transport: RosTransport;
let node: RosNode;
beforeAll(() => {
  transport = cycloneTransport({
    addonPath,
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
  node = transport.createNode('camera', '/r2/pods/default');
});
afterAll(() => transport?.close());

const until = <T>(probe: () => T | Promise<T>) => vi.waitFor(probe, { timeout: 60_000, interval: 50 });

describe.each(rosPeerKinds)('%s', (kind) => {
  let peer: RosPeer;
  const missing = missingForPeer(kind);
  beforeAll(async () => {
    if (missing === undefined) {
      peer = await startRosPeer(kind, { domainId, name: `peer_${kind}`, namespace: '/lab' });
    }
  }, 900_000);
  afterAll(() => peer?.stop());
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });

  test('reads our latched status as a late joiner', async () => {
    const topic = `/r2/pods/default/camera/status_${kind}`;
    const publisher = node.createPublisher(topic, PodStatus, latched);
    const status = PodStatus.create({
      pod_name: 'caméra',
      lifecycle_state: { id: State.PRIMARY_STATE_ACTIVE, label: 'active' },
      ready: true,
      dds_domain_id: domainId,
      cpu_usage_cores: Number.NaN,
      memory_usage_bytes: 1n << 40n,
    });
    publisher.publish(PodStatus.create({ pod_name: 'older' }));
    publisher.publish(status);
    await peer.subscribe(topic, PodStatus.name, { durability: 'transient_local' });
    const [{ sample }, ...more] = await until(() => {
      const heard = peer.samples(topic);
      expect(heard).not.toHaveLength(0);
      return heard as [(typeof heard)[0], ...typeof heard];
    });
    expect(more).toEqual([]);
    expect(sample).toEqual({
      ...status,
      cpu_usage_cores: null,
      memory_usage_bytes: 2 ** 40,
    });
    publisher.publish({ ...status, ready: false });
    await until(() => expect(peer.samples(topic).at(-1)?.sample.ready).toBe(false));
    publisher.close();
  });

  test('calls our lifecycle services', async () => {
    const name = `/r2/pods/default/camera/${kind}`;
    const asked: number[] = [];
    const services = [
      node.createService(`${name}/get_state`, GetState, () => ({
        current_state: { id: State.PRIMARY_STATE_INACTIVE, label: 'inactive' },
      })),
      node.createService(`${name}/change_state`, ChangeState, async ({ transition }) => {
        asked.push(transition.id);
        return { success: transition.id === Transition.TRANSITION_ACTIVATE };
      }),
    ];
    expect(await peer.call(`${name}/get_state`, GetState.name)).toEqual({
      current_state: { id: State.PRIMARY_STATE_INACTIVE, label: 'inactive' },
    });
    const change = (id: number) =>
      peer.call(`${name}/change_state`, ChangeState.name, { transition: { id, label: '' } });
    expect(await change(Transition.TRANSITION_ACTIVATE)).toEqual({ success: true });
    expect(await change(Transition.TRANSITION_CLEANUP)).toEqual({ success: false });
    // A peer may ask twice.
    expect([...new Set(asked)]).toEqual([Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CLEANUP]);
    for (const service of services) service.close();
  });

  test('gets an answer to the first request of each new client', async () => {
    const services = Array.from({ length: 30 }, (_, i) =>
      node.createService(`/r2/first/${kind}/s${i}`, GetState, () => ({
        current_state: { id: i, label: 'inactive' },
      })),
    );
    for (const [i, { name }] of services.entries()) {
      expect(await peer.call(name, GetState.name)).toEqual({ current_state: { id: i, label: 'inactive' } });
    }
    for (const service of services) service.close();
  });

  test('answers our calls', async () => {
    const name = `/lab/${kind}/get_state`;
    await peer.serve(name, GetState.name, { current_state: { id: 3, label: 'active' } });
    const client = node.createClient(name, GetState);
    const answer = await client.call({}, AbortSignal.timeout(60_000));
    expect(answer).toEqual({ current_state: { id: 3, label: 'active' } });
    client.close();
  });

  test('is heard with its text and its time', async () => {
    const topic = `/lab/${kind}/chatter`;
    const heard: { data: string; sourceTimeMs: number }[] = [];
    const subscription = node.createSubscription(topic, std_msgs.String, volatileQos, (message, info) =>
      heard.push({ data: message.data, sourceTimeMs: info.sourceTimeMs }),
    );
    await peer.publish(topic, std_msgs.String.name, { data: 'grüße' }, {}, 50);
    await until(() => expect(heard.length).toBeGreaterThan(2));
    expect(heard[0]?.data).toBe('grüße');
    expect(Math.abs(heard[0]!.sourceTimeMs - Date.now())).toBeLessThan(600_000);
    await peer.unpublish(topic);
    subscription.close();
  });

  test('has a heartbeat that is watched: it beats, falls silent, and beats again', async () => {
    const topic = `/lab/${kind}/heartbeat`;
    const events: WatchEvent[] = [];
    const watch = transport.watchTopic(topic, { maxSilenceMs: 2_000 }, (event) => events.push(event));
    await peer.publish(topic, std_msgs.String.name, { data: '' }, { reliability: 'best_effort' }, 20);
    await until(() => expect(events.map(({ event }) => event)).toContain('heard'));
    expect(watch.writers()).toMatchObject([{ type: std_msgs.String.name, alive: true }]);
    await peer.pause(topic);
    await until(() => expect(events.map(({ event }) => event)).toContain('silent'));
    await peer.publish(topic, std_msgs.String.name, { data: '' }, { reliability: 'best_effort' }, 20);
    await until(() => expect(events.at(-1)?.event).toBe('heard'));
    await peer.unpublish(topic);
    await until(() => expect(events.map(({ event }) => event)).toContain('unmatched'));
    watch.close();
  });

  test('keeps its own pod alive and no other, and is known by its domain', async () => {
    const begin = watchOn({ transport, node, log: silentLogger() });
    const own: RosProbeTarget = { addresses: [], pids: async () => [peer.pid] };
    const topic = `/lab/${kind}/own`;
    const managed = `/lab/managed_${kind}`;
    await peer.publish(topic, std_msgs.String.name, { data: '' }, {}, 20);
    await peer.serve(`${managed}/get_state`, GetState.name, { current_state: { id: 3, label: 'active' } });
    const specs: RosProbeSpec[] = [
      { kind: 'heartbeat', topic, deadlineMs: 10_000 },
      { kind: 'lifecycle', node: managed, state: 'active' },
    ];
    const watches = [own, { ...own, pids: async () => [process.pid] }].map((target) =>
      specs.map((spec) => begin(spec, target, () => undefined)),
    );
    const findings = () => watches.map((each) => each.map((watch) => watch.check()));
    await until(() => expect(findings()[0]).toMatchObject([{ state: 'alive' }, { state: 'alive' }]));
    await until(() =>
      expect(findings()[1]).toMatchObject([
        { state: 'missed', message: expect.stringContaining('1 publisher is not of this pod') },
        { state: 'missed', message: expect.stringContaining('is not of this pod') },
      ]),
    );
    for (const watch of watches.flat()) watch.close();
    await peer.unpublish(topic);
    expect(await otherDomain(own, domainId + 1, udpSocketReader())).toContain(`on ROS domain ${domainId}, `);
    expect(await otherDomain(own, domainId, udpSocketReader())).toBeUndefined();
  });

  test('that dies is missed by its liveliness lease', async () => {
    const topic = `/lab/${kind}/lease`;
    const victim = await startRosPeer(kind, { domainId, name: `victim_${kind}`, namespace: '/lab' });
    try {
      const events: WatchEvent[] = [];
      const watch = transport.watchTopic(topic, { livelinessLeaseMs: 1_000 }, (event) => events.push(event));
      await victim.publish(topic, std_msgs.String.name, { data: '' }, { livelinessLeaseMs: 500 }, 100);
      await until(() => expect(watch.writers()).toMatchObject([{ alive: true }]));
      // Stopped, not ended: it says no farewell.
      victim.signal('SIGSTOP');
      await until(() => expect(events.map(({ event }) => event)).toContain('notAlive'));
      victim.signal('SIGCONT');
      // RustDDS may take its writer back instead.
      await until(() => expect(watch.writers().filter(({ alive }) => !alive)).toEqual([]));
      watch.close();
    } finally {
      await victim.stop();
    }
  });

  test('knows our nodes and we know its node', async () => {
    await until(async () => expect(await peer.nodes()).toContain('/r2/pods/default/camera'));
    await until(() =>
      expect(transport.graph.nodes()).toContainEqual(
        expect.objectContaining({ name: `peer_${kind}`, namespace: '/lab' }),
      ),
    );
    const second = transport.createNode(`later_${kind}`, '/r2');
    await until(async () => expect(await peer.nodes()).toContain(`/r2/later_${kind}`));
    second.close();
    await until(async () => expect(await peer.nodes()).not.toContain(`/r2/later_${kind}`));
  });

  test('has its endpoints under its node, with their types', async () => {
    const topic = `/lab/${kind}/latched`;
    await peer.publish(topic, PodStatus.name, {}, { durability: 'transient_local' });
    await until(() =>
      expect(transport.graph.endpoints(topic)).toMatchObject([
        {
          kind: 'publisher',
          type: PodStatus.name,
          node: { name: `peer_${kind}`, namespace: '/lab' },
          qos: { reliability: 'reliable', durability: 'transient_local' },
        },
      ]),
    );
    await peer.unpublish(topic);
    await until(() => expect(transport.graph.endpoints(topic)).toEqual([]));
  });
});

describe('a node of Humble, whose gids are longer', () => {
  let humble: RosPeer;
  const start = (name: string, env: Record<string, string>) =>
    startRosPeer('cyclonedds', { domainId, name, namespace: '/lab', env });
  beforeAll(async () => {
    humble = await start('humble', { GID_BYTES: '24' });
  }, 900_000);
  afterAll(() => humble?.stop());
  const isKnown = (name: string) =>
    expect(transport.graph.nodes()).toContainEqual(expect.objectContaining({ name, namespace: '/lab' }));

  test('knows our nodes, and we know it with its endpoints and call its services', async () => {
    await until(async () => expect(await humble.nodes()).toContain('/r2/pods/default/camera'));
    await until(() => isKnown('humble'));
    await humble.publish('/lab/humble/chatter', std_msgs.String.name, { data: '' });
    await until(() =>
      expect(transport.graph.endpoints('/lab/humble/chatter')).toMatchObject([
        { type: std_msgs.String.name, typeHash: '', node: { name: 'humble', namespace: '/lab' } },
      ]),
    );
    await humble.serve('/lab/humble/get_state', GetState.name, { current_state: { id: 3, label: 'active' } });
    const client = node.createClient('/lab/humble/get_state', GetState);
    expect(await client.call({}, AbortSignal.timeout(60_000))).toEqual({
      current_state: { id: 3, label: 'active' },
    });
    client.close();
    await humble.unpublish('/lab/humble/chatter');
  });

  test('goes without our news while a newer one is there, which does not', async () => {
    const newer = await start('newer', {});
    try {
      await until(async () => expect(await newer.nodes()).toContain('/r2/pods/default/camera'));
      await until(() => ['humble', 'newer'].forEach(isKnown));
    } finally {
      await newer.stop();
    }
    const later = transport.createNode('after_newer', '/r2');
    await until(async () => expect(await humble.nodes()).toContain('/r2/after_newer'));
    later.close();
  });
});

describe('what an rclpy node is told of us', () => {
  let peer: RosPeer;
  beforeAll(async () => {
    peer = await startRosPeer('rclpy', { domainId, name: 'observer' });
  }, 900_000);
  afterAll(() => peer?.stop());

  test('is each endpoint with its node, type, hash and qos', async () => {
    const topic = '/r2/pods/default/camera/described';
    const publisher = node.createPublisher(topic, PodStatus, latched);
    const subscription = node.createSubscription(topic, PodStatus, volatileQos, () => {});
    const ours = { node: '/r2/pods/default/camera', type: PodStatus.name, typeHash: PodStatus.typeHash };
    await until(async () => {
      const { publishers, subscriptions } = await peer.endpoints(topic);
      expect(publishers).toMatchObject([{ ...ours, reliability: 'reliable', durability: 'transient_local' }]);
      expect(subscriptions).toMatchObject([{ ...ours, durability: 'volatile' }]);
    });
    publisher.close();
    subscription.close();
  });

  test('has a type hash also where we tell which nodes we have', async () => {
    await until(async () => {
      const { publishers, subscriptions } = await peer.endpoints('ros_discovery_info');
      for (const all of [publishers, subscriptions]) {
        const ours = all.filter(({ gid }) => gid.startsWith('0110'));
        expect(ours.map(({ typeHash }) => typeHash)).toContain(ParticipantEntitiesInfo.typeHash);
        expect(ours.filter(({ typeHash }) => !typeHash.startsWith('RIHS01_'))).toEqual([]);
      }
    });
  });

  test('is what each of our nodes offers', async () => {
    const lidar = transport.createNode('lidar', '/r2/pods/default');
    lidar.createService('/r2/pods/default/lidar/get_state', GetState, () => ({
      current_state: { id: 1, label: 'unconfigured' },
    }));
    lidar.createClient('/lab/some_service', GetState);
    await until(async () => {
      const info = await peer.nodeInfo('lidar', '/r2/pods/default');
      expect(info.services).toEqual({ '/r2/pods/default/lidar/get_state': [GetState.name] });
      expect(info.clients).toEqual({ '/lab/some_service': [GetState.name] });
    });
    const { services } = await peer.graph();
    expect(services).toHaveProperty(['/r2/pods/default/lidar/get_state'], [GetState.name]);
    lidar.close();
  });
});
