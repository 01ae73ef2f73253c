/** What a roboticist sees of an agent: its topics, services, parameters and diagnostics. */
import { describe, expect, it } from 'vitest';
import { DiagnosticArray, DiagnosticStatus } from '../../../ros/messages/gen/diagnostic_msgs.ts';
import {
  GetParameters,
  ListParameters,
  Log,
  SetParameters,
} from '../../../ros/messages/gen/rcl_interfaces.ts';
import {
  Event,
  NodeStatus,
  PodStatus,
  PodStatusArray,
  ProbeStatus,
} from '../../../ros/messages/gen/roslet_msgs.ts';
import { until } from '../../agent.ts';
import { bridgePlace, domainId, manifest, podNode, sleeping, volatile } from './place.ts';

const on = bridgePlace();
const { call, heard } = on;

describe('the agent on the ROS graph', () => {
  it('shows what is there to who comes late', async () => {
    await on.agent.start();
    await on.agent.apply('a.yaml', manifest('camera', sleeping));
    await on.agent.ready('camera');
    const statuses = heard(`${podNode('camera_robot')}/status`, PodStatus);
    const pods = heard('/r2_d2/roslet/pods', PodStatusArray);
    const nodes = heard('/r2_d2/roslet/node_status', NodeStatus);
    const events = heard('/r2_d2/roslet/events', Event);
    const status = await until('the status of the pod', async () => statuses.find((each) => each.ready));
    expect(status).toMatchObject({
      robot: 'r2_d2',
      pod_namespace: 'default',
      pod_name: 'camera-robot',
      ros_node: podNode('camera_robot'),
      lifecycle_state: { id: 3, label: 'active' },
      phase: PodStatus.PHASE_RUNNING,
      waits_for: [],
    });
    expect(status.containers[0]).toMatchObject({ name: 'main', state: 2, ready: true, restart_count: 0 });
    await until('all pods', async () => pods.at(-1)?.pods[0]?.pod_name === 'camera-robot');
    const machine = await until('the node', async () => nodes.at(-1)?.pods_ready === 1 && nodes.at(-1));
    expect(machine).toMatchObject({ node_name: 'robot', ready: true, mode: 0, ros_domain_id: domainId });
    await until('an event', async () =>
      events.some(({ pod_name, reason }) => pod_name === 'camera-robot' && reason === 'Started'),
    );
    await until('the nodes of the graph', async () => {
      const names = on.transport.graph.nodes().map((each) => `${each.namespace}/${each.name}`);
      return names.includes('/r2_d2/roslet') && names.includes(podNode('camera_robot'));
    });
    expect(await on.agent.cli('describe', 'camera-robot')).toMatch(
      /ROS Node: +\/r2_d2\/pods\/default\/camera_robot/,
    );
    // A burst of changes makes few messages, and the last one is what is.
    const before = pods.length;
    for (let index = 0; index < 20; index += 1)
      await on.agent.apply(`b${index}.yaml`, manifest(`b${index}`, sleeping));
    await until('all pods', async () => pods.at(-1)?.pods.filter(({ ready }) => ready).length === 21, 60_000);
    expect(pods.length - before).toBeLessThan(20 * 8);
  });

  it('has parameters, diagnostics and a log', async () => {
    const log = heard('/rosout', Log);
    const diagnostics = heard('/diagnostics', DiagnosticArray, volatile);
    await on.agent.start();
    await on.agent.apply(
      'a.yaml',
      manifest('crash', 'exit 3', { container: 'readinessProbe: {exec: {command: ["false"]}}, ' }),
    );
    const names = await call('/r2_d2/roslet/list_parameters', ListParameters, { prefixes: [], depth: 0n });
    expect(names.result.names).toContain('use_sim_time');
    expect(names.result.names).toContain('maxPods');
    const { values } = await call('/r2_d2/roslet/get_parameters', GetParameters, {
      names: ['use_sim_time', 'maxPods', 'x'],
    });
    expect(values.map(({ integer_value, type }) => [type, integer_value])).toEqual([
      [1, 0n],
      [2, 110n],
      [0, 0n],
    ]);
    const asked = { parameters: [{ name: 'maxPods', value: values[1]! }] };
    const { results } = await call('/r2_d2/roslet/set_parameters', SetParameters, asked);
    expect(results[0]).toMatchObject({ successful: false, reason: expect.stringContaining('read-only') });
    // `ros2 param list` asks every node, and waits for those that do not answer.
    const ofPod = await call(`${podNode('crash_robot')}/list_parameters`, ListParameters, {
      prefixes: [],
      depth: 0n,
    });
    expect(ofPod.result.names).toEqual(['use_sim_time']);
    const broken = await until('the pod is in trouble', async () =>
      diagnostics
        .at(-1)
        ?.status.find(
          ({ level, name }) =>
            name === 'roslet: r2_d2/default/crash-robot' && level === DiagnosticStatus.ERROR,
        ),
    );
    expect(broken.message).toContain('CrashLoopBackOff');
    expect(broken.values.find(({ key }) => key === 'last exit')?.value).toContain('main: 3');
    await until('a line of the log', async () =>
      log.some(({ msg, name }) => name === 'r2_d2.roslet' && msg !== ''),
    );
  });
});

it('the probes of a container are told with the status, and the CPU use of the machine', async () => {
  const nodes = heard('/r2_d2/roslet/node_status', NodeStatus);
  const pods = heard('/r2_d2/roslet/pods', PodStatusArray);
  await on.agent.start();
  const container =
    'livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}, readinessProbe: {exec: {command: [sh, -c, "echo too cold; test -e /tmp/none/such"]}, periodSeconds: 1}, ';
  await on.agent.apply('a.yaml', manifest('a', sleeping, { container }));
  const probes = await until(
    'the readiness probe has failed',
    async () => {
      const all = pods.at(-1)?.pods[0]?.containers[0]?.probes ?? [];
      return (all.find(({ kind }) => kind === 2)?.consecutive_failures ?? 0) >= 3 && all;
    },
    30_000,
  );
  expect(probes).toEqual([
    expect.objectContaining({
      kind: ProbeStatus.KIND_LIVENESS,
      description: 'exec true',
      consecutive_failures: 0,
      last_failure_message: '',
    }),
    expect.objectContaining({
      kind: ProbeStatus.KIND_READINESS,
      result: ProbeStatus.RESULT_FAILED,
      consecutive_successes: 0,
      last_success: { sec: 0, nanosec: 0 },
      last_failure_message: expect.stringContaining('too cold'),
    }),
  ]);
  expect(probes[0]?.latency_p99).toBeGreaterThan(0);
  expect(probes[0]?.latency_p99).toBeLessThan(30);
  const { sec } = probes[1]!.last_failure;
  expect(Math.abs(Date.now() / 1000 - sec)).toBeLessThan(60);
  const machine = await until(
    'it was measured',
    async () => {
      const newest = nodes.at(-1);
      return newest !== undefined && !Number.isNaN(newest.cpu_usage_cores) && newest;
    },
    30_000,
  );
  expect(machine.cpu_usage_cores).toBeGreaterThan(0);
  expect(machine.cpu_usage_cores).toBeLessThanOrEqual(machine.cpu_capacity_cores * 1.1);
});
