/** More pods than the graph has room for: 623 managed nodes fill the agent's participant. Most of them are pods that are known alone. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { latchedQos } from '../../ros/bridge/qos.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { GetState } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { type PodStatus, PodStatusArray, Restart } from '../../ros/messages/gen/roslet_msgs.ts';
import type { RosNode, RosTransport, ServiceType } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { TestAgent, until } from '../agent.ts';

const domainId = 84;
let agent: TestAgent;
let transport: RosTransport;
let node: RosNode;

beforeEach(async () => {
  agent = await TestAgent.create({
    config: 'maxPods: 2000',
    ros: `{transport: cyclone, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
  });
  transport = cycloneTransport({
    addonPath: join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node'),
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
  node = transport.createNode('peer', '/');
});
afterEach(async () => {
  await transport.close();
  expect(await agent.remove()).toEqual([]);
});

/** Nothing of them runs, but they are there. */
const known = (name: string): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: {roslet.dev/autostart: "false"}}
spec: {runtimeClassName: host-process, containers: [{name: main, image: none, command: [sleep, "1"]}]}
`;
const running = (name: string): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: none, command: [sleep, "1000"]}]
`;
const names = (from: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${from}${i}`);
const nodesOf = (first: string): number =>
  transport.graph.nodes().filter(({ name }) => name.startsWith(first)).length;
async function call<Request, Response>(
  name: string,
  type: ServiceType<Request, Response>,
  request: Request,
): Promise<Response> {
  const client = node.createClient(name, type);
  try {
    return await client.call(request, AbortSignal.timeout(60_000));
  } finally {
    client.close();
  }
}
const stateOf = async (pod: string): Promise<string> =>
  (await call(`/r2_d2/pods/default/${pod}/get_state`, GetState, {})).current_state.label;
const eventsOf = async (reason: string) => (await agent.events()).filter((each) => each.reason === reason);

it('supervises those that are not on the graph, says so once of each, and shows them when there is room', async () => {
  let pods: readonly PodStatus[] = [];
  node.createSubscription('/r2_d2/roslet/pods', PodStatusArray, latchedQos, (message) => {
    pods = message.pods;
  });
  await agent.start();
  await agent.apply('first.yaml', names('first', 60).map(known).join('---\n'));
  await until('the first are there', () => nodesOf('first') === 60, 60_000);
  await agent.apply('more.yaml', names('more', 600).map(known).join('---\n'));
  await until('the graph is full', () => nodesOf('first') + nodesOf('more') >= 623, 120_000);
  await until('all are known', () => pods.length === 660, 120_000);
  const isTold = async () => (await eventsOf('NotOnRosGraph')).length === 660 - 623;
  await until('of those without it is told', isTold, 60_000);
  expect(await stateOf('first3_robot')).toBe('unconfigured');

  await agent.apply('late.yaml', running('late'));
  const late = () => pods.find(({ pod_name }) => pod_name === 'late-robot');
  const isBack = (restarts: number) => () => late()?.ready === true && late()?.restart_count === restarts;
  await until('it runs', isBack(0), 60_000);
  expect(late()?.ros_node).toBe('');
  const about = { pod_namespace: '', pod_name: 'late-robot', container: '' };
  expect(await call('/r2_d2/roslet/restart', Restart, about)).toEqual({ success: true, message: '' });
  await until('it runs again', isBack(1), 60_000);
  const told = (await eventsOf('NotOnRosGraph')).filter((e) => e.involvedObject.name === 'late-robot');
  expect(told.map(({ count, message }) => [count, message])).toEqual([
    [
      1,
      'The pod is supervised, but it is not on the ROS graph: all of the 15000 endpoints that a participant can have are in use',
    ],
  ]);

  await agent.unapply('first.yaml');
  await until('it has a node', () => nodesOf('late') === 1, 60_000);
  expect(await stateOf('late_robot')).toBe('active');
}, 400_000);
