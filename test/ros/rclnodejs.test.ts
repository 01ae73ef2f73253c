/**
 * The agent on the ROS 2 of the machine: rclnodejs on Fast DDS, as rclpy sees it, which is what a user's own node is. That
 * every message and service goes over it is shown by ros/contract.test.ts.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChangeState, GetState, Transition } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { Apply, List, NodeStatus, PodStatus } from '../../ros/messages/gen/roslet_msgs.ts';
import type { Finding } from '../../src/doctor/findings.ts';
import { TestAgent, until } from '../agent.ts';
import { installRclnodejs, type RosPeer, startRosPeer } from '../peers/ros/peer.ts';
import { driverPod, restarts } from './heartbeat-driver.ts';

const domainId = randomInt(60, 80);
const latched = { durability: 'transient_local' } as const;
const pod = '/r2_d2/pods/default/driver_robot';

const roslet = join(import.meta.dirname, '..', '..', 'bin', 'roslet');

let ros2: Awaited<ReturnType<typeof installRclnodejs>>;
let agent: TestAgent;
let peer: RosPeer;
beforeAll(async () => {
  ros2 = await installRclnodejs();
  agent = await TestAgent.create({
    ros: `{transport: rclnodejs, rclnodejsPath: ${ros2.path}, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
    env: ros2.env,
  });
  await agent.start();
  peer = await startRosPeer('rclpy', { domainId, name: 'driver', namespace: '/lab' });
}, 900_000);
afterAll(async () => {
  await peer?.stop();
  expect(await agent?.remove()).toEqual([]);
});

const newest = (topic: string) => peer.samples(topic).at(-1)?.sample;

test('the log and the doctor say that it is rclnodejs on Fast DDS, and why', async () => {
  await until('it is on the graph', async () => agent.log.includes('rmw_fastrtps_cpp'));
  expect(agent.log).toMatch(/rclnodejs 2\.2\.0 \(rmw_fastrtps_cpp\)/);
  const args = ['doctor', '-o', 'json', '--config', join(agent.dir, 'config.yaml')];
  const found = await promisify(execFile)(roslet, args, { env: { ...process.env, ...ros2.env } }).then(
    ({ stdout }) => stdout,
    // What else is wrong with the machine is no matter here.
    (err: { stdout: string }) => err.stdout,
  );
  const messages = (JSON.parse(found) as Finding[]).map(({ message }) => message);
  expect(messages).toContain('jazzy is sourced (rmw_fastrtps_cpp)');
  expect(messages).toContainEqual(
    expect.stringMatching(/^the bridge runs on rclnodejs .*, because ros\.transport says so$/),
  );
});

test('a heartbeat keeps a pod alive, and its silence starts the container anew', async () => {
  const probe = `  exec: {command: [ros2-probe, heartbeat, /driver/heartbeat, --deadline, 2s]}
  periodSeconds: 1`;
  await peer.publish('/driver/heartbeat', 'std_msgs/msg/Empty', {}, {}, 50);
  await agent.apply(
    'driver.yaml',
    driverPod(
      'exec sleep 1000',
      `startupProbe:\n${probe}\n  failureThreshold: 60\nlivenessProbe:\n${probe}\n  failureThreshold: 1\nreadinessProbe:\n${probe}\n  failureThreshold: 1\n`,
    ),
  );
  await agent.ready('driver');
  expect(restarts(await agent.pod('driver'))).toBe(0);
  await peer.pause('/driver/heartbeat');
  await until('it was restarted', async () => restarts(await agent.pod('driver')) === 1, 60_000);
  expect(await agent.cli('events')).toContain('Liveness probe failed: no heartbeat on /driver/heartbeat for');
  await peer.publish('/driver/heartbeat', 'std_msgs/msg/Empty', {}, {}, 50);
  await agent.ready('driver');
});

test('whoever comes late reads the status of the pod and of the robot', async () => {
  await peer.subscribe(`${pod}/status`, PodStatus.name, latched);
  await peer.subscribe('/r2_d2/roslet/node_status', NodeStatus.name, latched);
  await until('it came', async () => newest(`${pod}/status`)?.ready === true);
  expect(newest(`${pod}/status`)).toMatchObject({
    pod_name: 'driver-robot',
    lifecycle_state: { label: 'active' },
  });
  await until('it came', async () => newest('/r2_d2/roslet/node_status')?.ready === true);
});

test('the pod is a managed node: its state is asked for and changed', async () => {
  const state = async () => (await peer.call(`${pod}/get_state`, GetState.name)).current_state;
  const change = (id: number) =>
    peer.call(`${pod}/change_state`, ChangeState.name, { transition: { id, label: '' } });
  expect(await state()).toEqual({ id: 3, label: 'active' });
  expect(await change(Transition.TRANSITION_DEACTIVATE)).toEqual({ success: true });
  expect(await state()).toEqual({ id: 2, label: 'inactive' });
  await until('it is told', async () => newest(`${pod}/status`)?.ready === false);
  expect(await change(Transition.TRANSITION_ACTIVATE)).toEqual({ success: true });
  expect(await state()).toEqual({ id: 3, label: 'active' });
});

test('the agent answers its own services', async () => {
  expect((await peer.call('/r2_d2/roslet/list', List.name)).pods).toMatchObject([
    { pod_name: 'driver-robot' },
  ]);
  // How far another RMW goes is known to its own configuration alone.
  expect(await peer.call('/r2_d2/roslet/apply', Apply.name, { manifest: '{}' })).toMatchObject({
    success: false,
    message: expect.stringContaining("ros.requests is 'control'"),
  });
});

test('it is found on the graph as the nodes that it is', async () => {
  await until('the nodes are there', async () => (await peer.graph()).nodes.includes(pod));
  const { publishers, services } = await peer.nodeInfo('driver_robot', '/r2_d2/pods/default');
  expect(publishers).toMatchObject({ [`${pod}/status`]: [PodStatus.name] });
  expect(services).toMatchObject({ [`${pod}/change_state`]: [ChangeState.name] });
});
