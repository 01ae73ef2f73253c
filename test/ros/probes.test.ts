/** What `ros2-probe` probes tell, of real writers in other processes, stopped, killed and slowed for real. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Bench, type Peer, until, useBench } from '../../ros/contract/harness.ts';
import { reliable, textType } from '../../ros/contract/types.ts';
import * as bond from '../../ros/messages/gen/bond.ts';
import * as lifecycle from '../../ros/messages/gen/lifecycle_msgs.ts';
import type { RosProbeSpec, RosProbeTarget, RosWatch } from '../../ros/prober.ts';
import { watchOn } from '../../ros/probes/kinds.ts';
import { type BridgeProber, rosProber } from '../../ros/probes/prober.ts';
import type { RosNode, RosTransport } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { createProbeManager } from '../../src/probes/manager.ts';
import type { ProbeResult } from '../../src/probes/results.ts';

const bench = useBench('cyclone');
const watches: Pick<RosWatch, 'close'>[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

const ofPod = (...pids: number[]): RosProbeTarget => ({ addresses: [], pids: async () => pids });

/** A prober on a transport of its own, as in an agent. */
function setUp(b: Bench): { prober: BridgeProber; transport: RosTransport; node: RosNode } {
  const transport = b.open();
  const prober = rosProber('no transport yet');
  const node = transport.createNode('prober', '/');
  prober.attach(watchOn({ transport, node, log: silentLogger() }));
  return { prober, transport, node };
}

/** What the watch told, each state once, in order. */
function watch(prober: BridgeProber, spec: RosProbeSpec, target: RosProbeTarget) {
  const told: string[] = [];
  const note = () => {
    const { state } = watched.check();
    if (told.at(-1) !== state) told.push(state);
  };
  const watched = prober.watch(spec, target, () => queueMicrotask(note));
  watches.push(watched);
  note();
  return {
    told,
    watched,
    is: (state: string) => until(() => watched.check().state === state),
    message: () => watched.check().message,
  };
}

/** The liveness probe of a container, as an agent has it: judged once a second, failed by one failure. */
function liveness(prober: BridgeProber, command: string[], target: RosProbeTarget) {
  const events: string[] = [];
  const manager = createProbeManager({
    log: silentLogger(),
    events: { event: (_about, _type, _reason, message) => events.push(message) },
    ros: prober,
    interruptions: { recent: () => undefined },
    onResult: () => undefined,
  });
  watches.push({ close: () => manager[Symbol.dispose]() });
  const container = {
    name: 'main',
    livenessProbe: { exec: { command: ['ros2-probe', ...command] }, periodSeconds: 1, failureThreshold: 1 },
  };
  manager.track({
    pod: { metadata: { name: 'robot', namespace: 'default', uid: 'u1' }, spec: { containers: [container] } },
    container,
    containerId: 'c1',
    podIp: '',
    ros: target,
    startedAtMs: Date.now(),
    exec: () => Promise.reject(new Error('nothing is executed for a ROS probe')),
  });
  return { events, is: (result: ProbeResult) => until(() => manager.get('c1', 'liveness') === result) };
}

async function beating(periodMs = 20, topic = '/camera/heartbeat'): Promise<Peer> {
  const peer = await bench.peer();
  await peer.run({ do: 'publisher', topic, qos: reliable });
  await peer.run({ do: 'publishEvery', topic, periodMs });
  return peer;
}

const heartbeat: RosProbeSpec = { kind: 'heartbeat', topic: '/camera/heartbeat', deadlineMs: 250 };

describe('a heartbeat', () => {
  it('is missed until it comes, when its process stops, and comes again', async () => {
    const { prober } = setUp(bench);
    const none = watch(prober, heartbeat, ofPod());
    expect(none.message()).toBe('no heartbeat on /camera/heartbeat so far (it has no publisher)');
    const peer = await beating();
    const { is, message, told, watched } = watch(prober, heartbeat, ofPod(peer.pid));
    await until(() => watched.gaps()!.count > 5);
    peer.signal('SIGSTOP');
    await is('missed');
    expect(message()).toMatch(
      /^no heartbeat on \/camera\/heartbeat for \d+ ms, deadline 250 ms, the last came at \d\d:\d\d:\d\d\.\d\d\dZ$/,
    );
    await until(() => told.at(-1) === 'missed');
    peer.signal('SIGCONT');
    await is('alive');
    await until(() => told.at(-1) === 'alive');
    expect(told).toEqual(['missed', 'alive', 'missed', 'alive']);
    expect(watched.gaps()!.maxMs).toBeGreaterThan(250);
  });

  it('counts only from processes of the pod', async () => {
    const { prober } = setUp(bench);
    const other = await beating();
    const mine = await bench.peer();
    const { is, message, told } = watch(prober, heartbeat, ofPod(mine.pid));
    await until(() => message().includes('so far (1 publisher is not of this pod and is not counted)'));
    await mine.run({ do: 'publisher', topic: '/camera/heartbeat', qos: reliable });
    await mine.run({ do: 'publishEvery', topic: '/camera/heartbeat', periodMs: 20 });
    await is('alive');
    await mine.kill();
    await is('missed');
    expect(other.pid).not.toBe(mine.pid);
    await until(() => told.at(-1) === 'missed');
    expect(told).toEqual(['missed', 'alive', 'missed']);
  });

  it('of the agent itself counts for no pod, which is not even subscribed to', async () => {
    const { prober, node } = setUp(bench);
    const rosout = node.createPublisher('/rosout', textType, reliable);
    const own = watch(
      prober,
      { ...heartbeat, topic: '/rosout' },
      { addresses: ['10.9.8.7'], pids: async () => [] },
    );
    const heard = bench.open().watchTopic('/rosout', {}, () => undefined);
    await until(() => {
      rosout.publish({ data: 'here' });
      return heard.stats().samples > 20;
    });
    expect(own.message()).toBe('no heartbeat on /rosout so far (it has no publisher)');
    heard.close();
    await until(() => rosout.subscriptions === 0);
  });

  it('counts while nobody can look whose it is, and no longer once somebody can', async () => {
    const { prober } = setUp(bench);
    await beating();
    let isBlind = true;
    const pids = () => (isBlind ? Promise.reject(new Error('too many open files')) : Promise.resolve([]));
    const { is, message } = watch(prober, heartbeat, { addresses: [], pids });
    await is('alive');
    isBlind = false;
    await is('missed');
    expect(message()).toContain('(1 publisher is not of this pod and is not counted)');
  });

  it('is not judged anew with every change of the graph', async () => {
    const { prober, transport } = setUp(bench);
    const [mine, other] = [await beating(), await bench.peer()];
    let looks = 0;
    const pids = async () => {
      looks += 1;
      return [mine.pid];
    };
    const { is } = watch(prober, heartbeat, { addresses: [], pids });
    await is('alive');
    const before = looks;
    for (let i = 0; i < 10; i++) {
      await other.run({ do: 'publisher', topic: `/noise/${i}`, qos: reliable });
      await until(() => transport.graph.endpoints(`/noise/${i}`).length > 0);
      await sleep(20);
    }
    expect(looks).toBe(before);
  });

  it('cannot be told to be missed where strangers claim more types than are listened to', async () => {
    const { prober } = setUp(bench);
    const there = bench.open().createNode('claiming', '/');
    for (let i = 0; i < 9; i++) {
      there.createPublisher('/camera/heartbeat', { ...textType, name: `claimed/msg/T${i}` }, reliable);
    }
    const { is, message } = watch(prober, heartbeat, ofPod());
    await is('unknown');
    expect(message()).toMatch(/^no heartbeat on .* so far.*; its publishers have more than 8 types/);
  });

  it('is neither missed nor missing while this process is busy', async () => {
    const { prober } = setUp(bench);
    const peer = await beating();
    const { is, told, watched } = watch(prober, heartbeat, ofPod(peer.pid));
    await is('alive');
    const untilMs = performance.now() + 1500;
    while (performance.now() < untilMs);
    expect(watched.check().state).toBe('alive');
    await sleep(300);
    expect(told).toEqual(['missed', 'alive']);
    expect(watched.gaps()!.maxMs).toBeLessThan(1000);
  });

  it('cannot be told without a transport, and can again with one', async () => {
    const { prober, transport } = setUp(bench);
    const peer = await beating();
    const { is, message, told } = watch(prober, heartbeat, ofPod(peer.pid));
    await is('alive');
    prober.detach('the participant is gone');
    expect(message()).toBe('the participant is gone');
    await until(() => told.at(-1) === 'unknown');
    prober.attach(watchOn({ transport, node: transport.createNode('again', '/'), log: silentLogger() }));
    await is('alive');
  });
});

it('what is on another ROS domain does not fail, and it is told', async () => {
  const { prober, transport } = setUp(bench);
  const elsewhere = await bench.peer({ domainId: transport.domainId + 1 });
  const { is, events } = liveness(prober, ['node', '/peer'], ofPod(elsewhere.pid));
  await until(() => events.length > 1);
  expect(new Set(events)).toEqual(
    new Set([
      'Liveness probe errored and resulted in unknown state: the node /peer is not in the ROS graph; ' +
        `the processes of the pod are on ROS domain ${transport.domainId + 1}, and the agent on ${transport.domainId}: ` +
        'give both the same (ROS_DOMAIN_ID, ros.domainId of the agent)',
    ]),
  );
  await is('unknown');
  // Who is on no domain at all is held to its probe.
  await elsewhere.kill();
  await is('failure');
});

it('liveliness is lost when the process that asserts it is killed', async () => {
  const { prober } = setUp(bench);
  const peer = await bench.peer();
  const qos = { ...reliable, liveliness: 'automatic' as const, livelinessLeaseMs: 300 };
  await peer.run({ do: 'publisher', topic: '/image', qos });
  const { is, message, told } = watch(
    prober,
    { kind: 'liveliness', topic: '/image', leaseMs: 500 },
    ofPod(peer.pid),
  );
  await until(() => told.at(-1) === 'alive');
  await peer.kill();
  await is('missed');
  expect(message()).toMatch(/no publisher of \/image asserts its liveliness within 500 ms/);
  await until(() => told.at(-1) === 'missed');
});

it('a node of the agent itself counts for no pod', async () => {
  const { prober, transport } = setUp(bench);
  const { message } = watch(prober, { kind: 'node', node: '/prober' }, ofPod());
  await until(() => transport.graph.nodes().length > 0);
  await until(() => message() === 'the node /prober that is in the ROS graph is not of this pod');
});

it('a node is there while its process of the pod is', async () => {
  const { prober } = setUp(bench);
  const peer = await bench.peer();
  const spec: RosProbeSpec = { kind: 'node', node: '/peer' };
  const mine = watch(prober, spec, ofPod(peer.pid));
  const other = watch(prober, spec, ofPod());
  await mine.is('alive');
  await until(() => other.message() === 'the node /peer that is in the ROS graph is not of this pod');
  await peer.kill();
  await mine.is('missed');
  expect(mine.message()).toBe('the node /peer is not in the ROS graph');
});

it('data has to flow as fast as it is asked to', async () => {
  const { prober } = setUp(bench);
  const peer = await beating(20, '/scan');
  const { is, message } = watch(prober, { kind: 'topic', topic: '/scan', minRateHz: 5 }, ofPod(peer.pid));
  await is('alive');
  await peer.run({ do: 'publishEvery', topic: '/scan', periodMs: 800 });
  await is('missed');
  expect(message()).toMatch(/^data on \/scan comes at \d\.\d Hz, at least 5 Hz is asked for/);
  await peer.run({ do: 'publishEvery', topic: '/scan', periodMs: 20 });
  await is('alive');
});

it.each(['slow', 'stopped'])('data that flowed and is %s fails its container', async (how) => {
  const { prober } = setUp(bench);
  const peer = await beating(20, '/scan');
  const { is, events } = liveness(prober, ['topic', '/scan', '--min-rate', '5'], ofPod(peer.pid));
  await is('success');
  if (how === 'slow') await peer.run({ do: 'publishEvery', topic: '/scan', periodMs: 800 });
  else peer.signal('SIGSTOP');
  await is('failure');
  expect(events.at(-1)).toMatch(/^Liveness probe failed: data on \/scan comes at \d\.\d Hz/);
});

it('a managed node is in the state that it tells, by its service and its events', async () => {
  const { prober } = setUp(bench);
  const there = bench.open().createNode('camera', '/');
  let label = 'inactive';
  there.createService('/camera/get_state', lifecycle.GetState, () => ({
    current_state: { id: 2, label },
  }));
  const events = there.createPublisher('/camera/transition_event', lifecycle.TransitionEvent, reliable);
  const { is, message } = watch(prober, { kind: 'lifecycle', node: '/camera', state: 'active' }, ofPod());
  await until(() => message() === 'the node /camera is inactive, not active');
  const becomes = (next: string) => {
    label = next;
    events.publish({
      timestamp: 0n,
      transition: { id: 0, label: '' },
      start_state: { id: 0, label: '' },
      goal_state: { id: 0, label: next },
    });
  };
  becomes('active');
  await is('alive');
  becomes('inactive');
  await is('missed');
  becomes('active');
  await is('alive');
  there.close();
  await is('missed');
  expect(message()).toBe('the node /camera does not tell its lifecycle state');
});

it('a managed node is the one of the pod, whatever others of its name tell', async () => {
  const { prober } = setUp(bench);
  const [mine, other] = [await bench.peer(), await bench.peer()];
  await other.run({ do: 'manage', node: '/camera', state: 'active' });
  const spec: RosProbeSpec = { kind: 'lifecycle', node: '/camera', state: 'active' };
  const { is, message, told } = watch(prober, spec, ofPod(mine.pid));
  await until(() => message() === 'the node /camera that tells its lifecycle state is not of this pod');
  await mine.run({ do: 'manage', node: '/camera', state: 'inactive' });
  await until(() => message() === 'the node /camera is inactive, not active');
  await mine.run({ do: 'manage', node: '/camera', state: 'active' });
  await is('alive');
  const heard: string[] = [];
  const qos = { ...reliable, depth: 10 };
  const node = bench.open().createNode('listener', '/');
  const events = '/camera/transition_event';
  const subscription = node.createSubscription(events, lifecycle.TransitionEvent, qos, ({ goal_state }) =>
    heard.push(goal_state.label),
  );
  await until(() => subscription.publishers === 2);
  await other.run({ do: 'manage', node: '/camera', state: 'inactive' });
  await until(() => heard.includes('inactive'));
  await sleep(200);
  expect(told).toEqual(['missed', 'alive']);
});

it('a managed node that died and came back is asked anew, while the one that died is still on the graph', async () => {
  const { prober } = setUp(bench);
  const [dies, comes] = [await bench.peer({ participantLeaseMs: 600_000 }), await bench.peer()];
  await dies.run({ do: 'manage', node: '/camera', state: 'active' });
  const spec: RosProbeSpec = { kind: 'lifecycle', node: '/camera', state: 'active' };
  const { is, message } = watch(prober, spec, ofPod(dies.pid, comes.pid));
  await is('alive');
  await dies.kill();
  await comes.run({ do: 'manage', node: '/camera', state: 'unconfigured' });
  await until(() => message() === 'the node /camera is unconfigured, not active');
  await comes.run({ do: 'manage', node: '/camera', state: 'active' });
  await is('alive');
});

it("a bond is that of the pod's own end, whoever else says the same", async () => {
  const { prober } = setUp(bench);
  const [mine, other] = [await bench.peer(), await bench.peer()];
  const { is, message, told } = watch(
    prober,
    { kind: 'bond', topic: '/bond', id: 'camera' },
    ofPod(mine.pid),
  );
  const say = { do: 'bond', topic: '/bond', id: 'camera', periodMs: 20 } as const;
  await other.run({ ...say, timeoutMs: 60_000 });
  await until(
    () =>
      message() === 'no bond camera on /bond so far (an end of it that is not of this pod is not counted)',
  );
  await mine.run({ ...say, timeoutMs: 400 });
  await is('alive');
  await other.run({ ...say, timeoutMs: 60_000, periodMs: 0 });
  await other.run({ ...say, timeoutMs: 60_000 });
  await sleep(200);
  expect(told).toEqual(['missed', 'alive']);
  await mine.kill();
  await until(() => told.at(-1) === 'missed');
});

it('a bond that was held by one of several is told to be broken when that one falls silent, too', async () => {
  const { prober } = setUp(bench);
  const publisher = bench.open().createNode('bonded', '/').createPublisher('/bond', bond.Status, reliable);
  const { told } = watch(prober, { kind: 'bond', topic: '/bond', id: 'camera' }, ofPod());
  await until(() => publisher.subscriptions > 0);
  for (const [instance_id, heartbeat_timeout] of [
    ['a', 1.5],
    ['b', 0.1],
  ] as const) {
    publisher.publish(bond.Status.create({ id: 'camera', instance_id, active: true, heartbeat_timeout }));
  }
  await until(() => told.at(-1) === 'alive');
  await until(() => told.at(-1) === 'missed');
});

it('a bond holds while its other end says so, and breaks when it leaves or falls silent', async () => {
  const { prober } = setUp(bench);
  const publisher = bench.open().createNode('bonded', '/').createPublisher('/bond', bond.Status, reliable);
  const { is, message } = watch(prober, { kind: 'bond', topic: '/bond', id: 'camera' }, ofPod());
  const say = (id: string, instance: string, active: boolean, timeoutS = 60) =>
    publisher.publish(
      bond.Status.create({
        id,
        instance_id: instance,
        active,
        heartbeat_timeout: timeoutS,
        heartbeat_period: 0.1,
      }),
    );
  await until(() => publisher.subscriptions > 0);
  say('another', 'a', true);
  await sleep(200);
  expect(message()).toBe('no bond camera on /bond so far');
  say('camera', 'a', true);
  await is('alive');
  say('camera', 'a', false);
  await is('missed');
  expect(message()).toMatch(/^the bond camera on \/bond was broken by its other end at/);
  say('camera', 'b', true, 0.3);
  await is('alive');
  await is('missed');
  expect(message()).toMatch(/^the bond camera on \/bond is silent for .*, timeout 300 ms/);
});
