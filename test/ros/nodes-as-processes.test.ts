/**
 * Probes where rcl tells nothing of processes, as on zenoh, and a node stands for its process: on rclnodejs for real, on an RMW
 * that says it is zenoh (there is none to be had for the tests).
 */
import { afterEach, expect, it } from 'vitest';
import { until, useBench } from '../../ros/contract/harness.ts';
import { likeZenoh } from '../../ros/contract/subjects.ts';
import { echoType, reliable, textType } from '../../ros/contract/types.ts';
import * as lifecycle from '../../ros/messages/gen/lifecycle_msgs.ts';
import type { RosProbeSpec, RosWatch } from '../../ros/prober.ts';
import { watchOn } from '../../ros/probes/kinds.ts';
import { silentLogger } from '../../src/log.ts';

const bench = useBench(likeZenoh);
const watches: RosWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

/** In a pod whose processes nobody knows. */
function probing() {
  const transport = bench.open();
  const node = transport.createNode('prober', '/');
  const begin = watchOn({ transport, node, log: silentLogger() });
  const watch = (spec: RosProbeSpec) => {
    const watched = begin(spec, { addresses: [], pids: async () => [] }, () => undefined);
    watches.push(watched);
    return watched;
  };
  return { transport, node, watch };
}

function managed(name: string, from = bench.open()) {
  const node = from.createNode(name, '/');
  let label = 'inactive';
  node.createService(`/${name}/get_state`, lifecycle.GetState, () => ({ current_state: { id: 2, label } }));
  const events = node.createPublisher(`/${name}/transition_event`, lifecycle.TransitionEvent, reliable);
  const becomes = (next: string) => {
    label = next;
    events.publish({
      timestamp: 0n,
      transition: { id: 0, label: '' },
      start_state: { id: 0, label: '' },
      goal_state: { id: 0, label: next },
    });
  };
  return { node, becomes };
}

it('a managed node is in the state that it tells, by its service and its events', async () => {
  const { watch } = probing();
  const { becomes, node } = managed('camera');
  const probe = watch({ kind: 'lifecycle', node: '/camera', state: 'active' });
  await until(() => probe.check().message === 'the node /camera is inactive, not active');
  becomes('active');
  await until(() => probe.check().state === 'alive');
  becomes('inactive');
  await until(() => probe.check().state === 'missed');
  becomes('active');
  await until(() => probe.check().state === 'alive');
  node.close();
  await until(() => probe.check().state === 'missed');
  expect(probe.check().message).toBe('the node /camera does not tell its lifecycle state');
});

it('what the agent itself says counts for no pod, whichever of its nodes says it', async () => {
  const { transport, watch } = probing();
  const { becomes } = managed('pod', transport);
  becomes('active');
  const beat = transport.createNode('other', '/').createPublisher('/beat', textType, reliable);
  const own = watch({ kind: 'lifecycle', node: '/pod', state: 'active' });
  const heartbeat = watch({ kind: 'heartbeat', topic: '/beat', deadlineMs: 60_000 });
  const node = watch({ kind: 'node', node: '/other' });
  await until(
    () => own.check().message === 'the node /pod that tells its lifecycle state is not of this pod',
  );
  await until(() => node.check().message === 'the node /other that is in the ROS graph is not of this pod');
  await until(() => {
    beat.publish({ data: 'here' });
    return heartbeat.check().message.includes('1 publisher is not of this pod and is not counted');
  });
  expect(heartbeat.check().lastMs).toBeUndefined();
  const theirs = bench.open().createNode('driver', '/').createPublisher('/beat', textType, reliable);
  await until(() => {
    theirs.publish({ data: 'here' });
    return heartbeat.check().state === 'alive';
  });
});

it('a client has the servers of its service, of the node that serves it', async () => {
  const { node, transport } = probing();
  let changes = 0;
  const client = node.createClient('/plan', echoType, { onServers: () => changes++ });
  const server = bench.open().createNode('planner', '/');
  server.createService('/plan', echoType, (request) => request);
  await until(() => client.servers.length === 1 && changes > 0);
  const planner = transport.graph.nodes().find(({ name }) => name === 'planner');
  expect(client.servers[0]?.slice(0, 24)).toBe(planner?.participant);
  expect(await client.call({ data: 'where to?' }, AbortSignal.timeout(20_000))).toEqual({
    data: 'where to?',
  });
  server.close();
  await until(() => client.servers.length === 0);
});
