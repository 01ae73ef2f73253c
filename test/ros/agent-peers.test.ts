/**
 * The real agent among ROS 2 and DDS programs by other people: what they read and call of it, and whose heartbeats it takes
 * for whose.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { ChangeState, GetState, Transition } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { List, NodeStatus, PodStatus, PodStatusArray } from '../../ros/messages/gen/roslet_msgs.ts';
import * as std_msgs from '../../ros/messages/gen/std_msgs.ts';
import type { RosProbeTarget } from '../../ros/prober.ts';
import { watchOn } from '../../ros/probes/kinds.ts';
import { rosProber } from '../../ros/probes/prober.ts';
import type { RosTransport } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { TestAgent, until } from '../agent.ts';
import { missingForPeer, type RosPeer, rosPeerKinds, startRosPeer } from '../peers/ros/peer.ts';

const domainId = randomInt(40, 60);
const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');

let agent: TestAgent;
let transport: RosTransport;
beforeAll(async () => {
  agent = await TestAgent.create({
    ros: `{domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
  });
  await agent.start();
  await agent.apply(
    'camera.yaml',
    `apiVersion: v1
kind: Pod
metadata: {name: camera}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: none, command: [sleep, "1000"]}
`,
  );
  await agent.ready('camera');
  transport = cycloneTransport({
    addonPath,
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
});
afterAll(async () => {
  await transport?.close();
  expect(await agent?.remove()).toEqual([]);
});

const pod = '/r2_d2/pods/default/camera_robot';
const latched = { durability: 'transient_local' } as const;

describe.each(rosPeerKinds)('with %s', (kind) => {
  let peer: RosPeer;
  const missing = missingForPeer(kind);
  beforeAll(async () => {
    if (missing === undefined) peer = await startRosPeer(kind, { domainId, name: 'peer', namespace: '/lab' });
  }, 900_000);
  afterAll(() => peer?.stop());
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });

  const newest = (topic: string) => peer.samples(topic).at(-1)?.sample;

  test('the status of a pod is read by whoever comes late', async () => {
    await peer.subscribe(`${pod}/status`, PodStatus.name, latched);
    await until('it came', async () => newest(`${pod}/status`)?.ready === true);
    expect(newest(`${pod}/status`)).toMatchObject({
      pod_name: 'camera-robot',
      lifecycle_state: { label: 'active' },
    });
  });

  // RustDDS has its types compiled in, and not these.
  const knowsAllTypes = kind !== 'rustdds';
  if (knowsAllTypes)
    test('the pods and the robot as a whole, too', async () => {
      await peer.subscribe('/r2_d2/roslet/pods', PodStatusArray.name, latched);
      await peer.subscribe('/r2_d2/roslet/node_status', NodeStatus.name, latched);
      await until('both came', async () => {
        const pods = newest('/r2_d2/roslet/pods')?.pods as { pod_name: string; ready: boolean }[] | undefined;
        return pods?.[0]?.ready === true && newest('/r2_d2/roslet/node_status')?.ready === true;
      });
      expect(newest('/r2_d2/roslet/pods')).toMatchObject({
        robot: 'r2_d2',
        pods: [{ pod_name: 'camera-robot', pod_namespace: 'default', lifecycle_state: { label: 'active' } }],
      });
    });

  test('a pod is a managed node: its state is asked for and changed', async () => {
    const state = async () =>
      (await peer.call(`${pod}/get_state`, GetState.name)).current_state as { id: number; label: string };
    expect(await state()).toEqual({ id: 3, label: 'active' });
    const change = (id: number) =>
      peer.call(`${pod}/change_state`, ChangeState.name, { transition: { id, label: '' } });
    expect(await change(Transition.TRANSITION_DEACTIVATE)).toEqual({ success: true });
    expect(await state()).toEqual({ id: 2, label: 'inactive' });
    await until('it is told', async () => newest(`${pod}/status`)?.ready === false);
    expect(await change(Transition.TRANSITION_ACTIVATE)).toEqual({ success: true });
    expect(await state()).toEqual({ id: 3, label: 'active' });
    await until('it is told', async () => newest(`${pod}/status`)?.ready === true);
  });

  if (knowsAllTypes)
    test('the agent answers its own services', async () => {
      const { pods } = await peer.call('/r2_d2/roslet/list', List.name, {});
      expect(pods).toMatchObject([{ pod_name: 'camera-robot' }]);
    });

  test('its heartbeat counts for the pod whose process it is, and for no other', async () => {
    await peer.publish('/driver/heartbeat', std_msgs.String.name, { data: 'beat' }, {}, 50);
    const prober = rosProber('');
    const node = transport.createNode(`prober_${kind}`, '/');
    prober.attach(watchOn({ transport, node, log: silentLogger() }));
    const spec = { kind: 'heartbeat', topic: '/driver/heartbeat', deadlineMs: 2000 } as const;
    const of = (pids: number[]): RosProbeTarget => ({ addresses: [], pids: async () => pids });
    const mine = prober.watch(spec, of([peer.pid]), () => undefined);
    const other = prober.watch(spec, of([process.pid]), () => undefined);
    await until('it is heard', async () => mine.check().state === 'alive');
    await until('it is known whose it is', async () => other.check().message.includes('is not of this pod'));
    expect(other.check().state).toBe('missed');
    mine.close();
    other.close();
    node.close();
    await peer.unpublish('/driver/heartbeat');
  });
});

test('an unsuspecting ROS 2 node finds the agent and its pods as nodes, with their topics and services', async () => {
  const peer = await startRosPeer('rclpy', { domainId, name: 'looker', namespace: '/lab' });
  try {
    await until('the nodes are there', async () => (await peer.graph()).nodes.includes(pod));
    expect((await peer.graph()).nodes).toContain('/r2_d2/roslet');
    const { publishers, services } = await peer.nodeInfo('camera_robot', '/r2_d2/pods/default');
    expect(publishers).toMatchObject({
      [`${pod}/status`]: ['roslet_msgs/msg/PodStatus'],
      [`${pod}/transition_event`]: ['lifecycle_msgs/msg/TransitionEvent'],
    });
    expect(services).toMatchObject({
      [`${pod}/get_state`]: ['lifecycle_msgs/srv/GetState'],
      [`${pod}/change_state`]: ['lifecycle_msgs/srv/ChangeState'],
    });
  } finally {
    await peer.stop();
  }
});
