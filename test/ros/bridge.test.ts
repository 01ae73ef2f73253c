/**
 * What a roboticist sees of an agent: its topics, services and managed nodes, asked for by a participant in another process.
 * The participants of the test find each other on the machine itself, under a tag of their own.
 */
import { randomUUID } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { DiagnosticArray, DiagnosticStatus } from '../../ros/messages/gen/diagnostic_msgs.ts';
import {
  ChangeState,
  GetAvailableStates,
  GetAvailableTransitions,
  GetState,
  TransitionEvent,
} from '../../ros/messages/gen/lifecycle_msgs.ts';
import { GetParameters, ListParameters, Log, SetParameters } from '../../ros/messages/gen/rcl_interfaces.ts';
import {
  Apply,
  Delete,
  Event,
  List,
  Logs,
  NodeStatus,
  PodStatus,
  PodStatusArray,
  ProbeStatus,
  Restart,
} from '../../ros/messages/gen/roslet_msgs.ts';
import type { MessageType, QosProfile, RosNode, RosTransport, ServiceType } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { TestAgent, until } from '../agent.ts';

const domainId = 85;
const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');
const latched: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 100,
};
const volatile: QosProfile = { ...latched, durability: 'volatile' };

let tag: string;
let agent: TestAgent;
let transport: RosTransport;
let node: RosNode;

const vendorConfig = () =>
  `<CycloneDDS><Domain><Discovery><Tag>${tag}</Tag></Discovery></Domain></CycloneDDS>`;
const openPeer = (): RosTransport =>
  cycloneTransport({
    addonPath,
    discovery: { domainId, range: 'localhost', staticPeers: [], vendorConfig: vendorConfig() },
    log: silentLogger(),
  });

const ros = (requests: string) =>
  `{domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2, diagnosticsPeriod: 200ms, requests: ${requests}}`;

beforeEach(async () => {
  tag = randomUUID();
  agent = await TestAgent.create({
    ros: ros('all'),
    env: { CYCLONEDDS_URI: vendorConfig() },
  });
  transport = openPeer();
  node = transport.createNode('peer', '/');
});
afterEach(async () => {
  await transport.close();
  expect(await agent.remove()).toEqual([]);
});

const manual = `'roslet.dev/autostart': 'false'`;
const manifest = (
  name: string,
  command: string,
  { annotations = '', container = '' } = {},
): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: {${annotations}}}
spec: {terminationGracePeriodSeconds: 1, runtimeClassName: host-process, hostNetwork: true, containers: [{name: main, image: none, ${container}command: [sh, -c, ${JSON.stringify(command)}]}]}
`;
const sleeping = 'exec sleep 1000';

/** All messages of a topic from now on, the latched ones first. */
function heard<T>(topic: string, type: MessageType<T>, qos: QosProfile = latched): T[] {
  const messages: T[] = [];
  node.createSubscription(topic, type, qos, (message) => messages.push(message));
  return messages;
}

async function call<Request, Response>(
  name: string,
  type: ServiceType<Request, Response>,
  request: Request,
  timeoutMs = 60_000,
): Promise<Response> {
  const client = node.createClient(name, type);
  try {
    return await client.call(request, AbortSignal.timeout(timeoutMs));
  } finally {
    client.close();
  }
}

const podNode = (name: string) => `/r2_d2/pods/default/${name}`;
const change = async (pod: string, label: string): Promise<boolean> =>
  (await call(`${podNode(pod)}/change_state`, ChangeState, { transition: { id: 0, label } })).success;
/** Asked again when nobody answers: a request to an agent that was killed is lost. */
const stateOf = async (pod: string): Promise<string> =>
  await until(`the state of ${pod}`, async () => {
    const answer = await call(`${podNode(pod)}/get_state`, GetState, {} as never, 5000);
    return answer.current_state.label;
  });
const steps = (events: TransitionEvent[]): string[] =>
  events.map(({ goal_state, transition }) => `${transition.label} ${goal_state.label}`);
const apply = (text: string) => call('/r2_d2/roslet/apply', Apply, { manifest: text, dry_run: false });
const published = async (topic: string) =>
  await until(`${topic} is published`, async () =>
    transport.graph.endpoints(topic).some((e) => e.kind === 'publisher'),
  );

describe('what others may ask for', () => {
  const askedFor = async () => {
    const about = { pod_namespace: 'default', pod_name: 'a-robot' };
    return [
      (await call('/r2_d2/roslet/list', List, { ...about, label_selector: '' })).success,
      await change('a_robot', 'deactivate'),
      (await call('/r2_d2/roslet/restart', Restart, { ...about, pod_name: 'b-robot', container: '' }))
        .success,
      (await apply(manifest('c', sleeping))).success,
    ];
  };

  it.each([
    ['read', [true, false, false, false]],
    ['control', [true, true, true, false]],
    ['all', [true, true, true, true]],
    // The peers of this test are let in by a vendor's configuration, and with one nobody knows who else is.
    ['auto', [true, true, true, false]],
  ])('is what the configuration says: %s', async (requests, allowed) => {
    await agent.configure('', ros(requests));
    await agent.start();
    for (const name of ['a', 'b']) {
      await agent.apply(`${name}.yaml`, manifest(name, sleeping));
      await agent.ready(name);
    }
    expect(await askedFor()).toEqual(allowed);
  });

  it('is told what is not allowed, and why', async () => {
    await agent.configure('', ros('control'));
    await agent.start();
    const { message, success } = await apply(manifest('c', sleeping));
    expect(success).toBe(false);
    expect(message).toContain("ros.requests is 'control'");
    expect(await agent.pods()).toEqual([]);
  });

  it('costs the agent little when it asks for a million things', async () => {
    await agent.start();
    const names = Array.from({ length: 1_000_000 }, () => '');
    const client = node.createClient('/r2_d2/roslet/get_parameters', GetParameters);
    await expect(client.call({ names }, AbortSignal.timeout(3000))).rejects.toThrow();
    client.close();
    const { values } = await call('/r2_d2/roslet/get_parameters', GetParameters, { names: ['maxPods'] });
    expect(values[0]?.integer_value).toBe(110n);
  });
});

describe('the agent on the ROS graph', () => {
  it('shows what is there to who comes late', async () => {
    await agent.start();
    await agent.apply('a.yaml', manifest('camera', sleeping));
    await agent.ready('camera');
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
      const names = transport.graph.nodes().map((each) => `${each.namespace}/${each.name}`);
      return names.includes('/r2_d2/roslet') && names.includes(podNode('camera_robot'));
    });
    expect(await agent.cli('describe', 'camera-robot')).toMatch(
      /ROS Node: +\/r2_d2\/pods\/default\/camera_robot/,
    );
    // A burst of changes makes few messages, and the last one is what is.
    const before = pods.length;
    for (let index = 0; index < 20; index += 1)
      await agent.apply(`b${index}.yaml`, manifest(`b${index}`, sleeping));
    await until('all pods', async () => pods.at(-1)?.pods.filter(({ ready }) => ready).length === 21, 60_000);
    expect(pods.length - before).toBeLessThan(20 * 8);
  });

  it('follows requests as the Kubernetes API does', async () => {
    await agent.start();
    const refused = await apply(manifest('a', sleeping, { annotations: `'roslet.dev/autostrat': 'false'` }));
    expect(refused.success).toBe(false);
    expect(refused.results[0]?.message).toContain('did you mean roslet.dev/autostart?');
    expect((await apply('kind: Pod\napiVersion: v1\nspec: {conatiners: []}')).message).toContain(
      'conatiners',
    );
    const created = await apply(manifest('a', 'echo one; echo two; exec sleep 1000'));
    expect(created).toMatchObject({ success: true, results: [{ kind: 'Pod', object_name: 'a', result: 0 }] });
    const pod = await agent.ready('a');
    expect((await apply(manifest('a', 'echo one; echo two; exec sleep 1000'))).results[0]?.result).toBe(2);
    const { pods } = await call('/r2_d2/roslet/list', List, {
      pod_namespace: '',
      pod_name: 'a',
      label_selector: '',
    });
    expect(pods.map(({ pod_name, ready }) => [pod_name, ready])).toEqual([['a', true]]);
    expect(
      await call('/r2_d2/roslet/list', List, { pod_namespace: '', pod_name: '', label_selector: '((' }),
    ).toMatchObject({
      success: false,
    });
    const query = { pod_namespace: '', pod_name: 'a', container: '', tail_lines: 1, previous: false };
    expect(await call('/r2_d2/roslet/logs', Logs, query)).toMatchObject({
      success: true,
      lines: ['two'],
      truncated: true,
    });
    const restart = { pod_namespace: '', pod_name: 'a', container: '' };
    expect(await call('/r2_d2/roslet/restart', Restart, restart)).toEqual({ success: true, message: '' });
    await agent.podUntil('a', 'runs anew', (p) => p.status?.containerStatuses?.[0]?.restartCount === 1);
    expect((await agent.pod('a'))?.metadata?.uid).toBe(pod.metadata?.uid);
    expect(await call('/r2_d2/roslet/restart', Restart, { ...restart, pod_name: 'x' })).toMatchObject({
      success: false,
      message: 'pods "x" not found',
    });
    const deletion = { pod_namespace: '', pod_name: 'a', grace_period_seconds: -1 };
    expect(await call('/r2_d2/roslet/delete', Delete, deletion)).toEqual({ success: true, message: '' });
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });

  it('has parameters, diagnostics and a log', async () => {
    const log = heard('/rosout', Log);
    const diagnostics = heard('/diagnostics', DiagnosticArray, volatile);
    await agent.start();
    await agent.apply(
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

describe('what a pod writes', () => {
  const ofPod = (log: Log[], name: string) =>
    log.filter((line) => line.name === `r2_d2.pods.default.${name}_robot`);

  it('is on /rosout where its annotation wants it, of every instance of its containers', async () => {
    const log = heard('/rosout', Log);
    await agent.start();
    const wanted = { annotations: `'roslet.dev/rosout': 'true'` };
    const script =
      'echo plain; echo bad >&2; echo "[ERROR] [1.5] [driver]: hot" >&2; sleep 1; echo end; exit 1';
    await agent.apply('loud.yaml', manifest('loud', script, wanted));
    await agent.apply('quiet.yaml', manifest('quiet', script));
    const once = [
      [Log.INFO, 'plain'],
      [Log.WARN, 'bad'],
      [Log.ERROR, '[driver]: hot'],
      [Log.INFO, 'end'],
    ];
    await until('both instances are told', async () => ofPod(log, 'loud').length >= 8, 60_000);
    const lines = ofPod(log, 'loud').slice(0, 8);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([...once, ...once]);
    expect(new Set(lines.map(({ file }) => file))).toEqual(new Set(['main']));
    expect(ofPod(log, 'quiet')).toEqual([]);
    // Who comes later, as after a restart of the agent, is not told of old lines again.
    await agent.stop('SIGKILL');
    const fromHere = log.length;
    const startedMs = Date.now();
    await agent.start();
    await until('the next instance', async () => ofPod(log.slice(fromHere), 'loud').length >= 4, 60_000);
    const stamps = ofPod(log.slice(fromHere), 'loud').map(
      ({ stamp }) => stamp.sec * 1000 + stamp.nanosec / 1e6,
    );
    expect(Math.min(...stamps)).toBeGreaterThan(startedMs);
  });

  it('is passed on only so fast, and what is left out is counted', async () => {
    const log = heard('/rosout', Log, { ...latched, depth: 1000 });
    await agent.start();
    const script = 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done; exec sleep 1000';
    await agent.apply(
      'flood.yaml',
      manifest('flood', script, { annotations: `'roslet.dev/rosout': 'true'` }),
    );
    const dropped = () =>
      ofPod(log, 'flood').reduce(
        (sum, { msg }) => sum + Number(/^(\d+) lines were dropped/.exec(msg)?.[1] ?? 0),
        0,
      );
    const passed = () => ofPod(log, 'flood').filter(({ msg }) => msg.startsWith('line ')).length;
    await until('all are accounted for', async () => dropped() + passed() === 5000, 30_000);
    expect(passed()).toBeLessThan(2500);
  });

  it('is followed over a rotation', async () => {
    await agent.configure(
      'containerLogMaxSize: 1Ki\ncontainerLogMaxFiles: 2\ncontainerLogMonitorInterval: 3s',
    );
    const log = heard('/rosout', Log, { ...latched, depth: 1000 });
    await agent.start();
    const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done';
    await agent.apply('a.yaml', manifest('a', script, { annotations: `'roslet.dev/rosout': 'true'` }));
    await until('it was rotated and went on', async () => ofPod(log, 'a').length > 200, 60_000);
    const logs = await readdir(join(agent.root, 'log', 'pods'), { recursive: true });
    expect(logs.filter((each) => /0\.log\./.test(each))).not.toEqual([]);
    const numbers = ofPod(log, 'a').map(({ msg }) => Number(msg.replace('line ', '')));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});

it('the probes of a container are told with the status, and the CPU use of the machine', async () => {
  const nodes = heard('/r2_d2/roslet/node_status', NodeStatus);
  const pods = heard('/r2_d2/roslet/pods', PodStatusArray);
  await agent.start();
  const container =
    'livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}, readinessProbe: {exec: {command: [sh, -c, "echo too cold; test -e /tmp/none/such"]}, periodSeconds: 1}, ';
  await agent.apply('a.yaml', manifest('a', sleeping, { container }));
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

describe('a pod as a managed node', () => {
  it('goes through all states, and tells every step', async () => {
    await agent.start();
    await apply(manifest('a', sleeping, { annotations: manual }));
    const events = heard(`${podNode('a')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('a')}/transition_event`);
    expect(await stateOf('a')).toBe('unconfigured');
    const none = {} as never;
    const states = await call(`${podNode('a')}/get_available_states`, GetAvailableStates, none);
    expect(states.available_states).toHaveLength(11);
    const transitions = await call(
      `${podNode('a')}/get_available_transitions`,
      GetAvailableTransitions,
      none,
    );
    expect(transitions.available_transitions.map(({ transition }) => transition.label)).toEqual([
      'configure',
      'shutdown',
    ]);
    const graph = await call(`${podNode('a')}/get_transition_graph`, GetAvailableTransitions, none);
    expect(graph.available_transitions).toHaveLength(25);

    expect(await change('a', 'activate')).toBe(false);
    expect(await change('a', 'configure')).toBe(true);
    expect(await stateOf('a')).toBe('inactive');
    expect(await change('a', 'activate')).toBe(true);
    await agent.podUntil('a', 'runs', (pod) => pod.status?.phase === 'Running');
    expect(await change('a', 'deactivate')).toBe(true);
    expect(await change('a', 'cleanup')).toBe(true);
    expect(await stateOf('a')).toBe('unconfigured');
    expect(await change('a', 'shutdown')).toBe(true);
    await until('it is gone', async () => (await agent.pods()).length === 0);
    await until('the last step', async () => steps(events).includes('transition_success finalized'), 8000);
    expect(steps(events)).toEqual([
      'configure configuring',
      'transition_success inactive',
      'activate activating',
      'transition_success active',
      'deactivate deactivating',
      'transition_success inactive',
      'cleanup cleaningup',
      'transition_success unconfigured',
      'shutdown shuttingdown',
      'transition_success finalized',
    ]);
    await until('its node is gone', async () => !transport.graph.nodes().some((each) => each.name === 'a'));
  });

  it('goes through errorprocessing when it does not come up', async () => {
    await agent.start();
    const container = 'readinessProbe: {exec: {command: ["false"]}}, ';
    await apply(manifest('a', 'exit 3', { annotations: manual, container }));
    const events = heard(`${podNode('a')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('a')}/transition_event`);
    await change('a', 'configure');
    const activation = change('a', 'activate');
    await until('it is activating', async () => (await stateOf('a')) === 'activating');
    // One at a time.
    expect(await change('a', 'cleanup')).toBe(false);
    expect(await activation).toBe(false);
    await until('the last step', async () => steps(events).at(-1) === 'transition_success unconfigured');
    expect(steps(events).slice(2)).toEqual([
      'activate activating',
      'transition_error errorprocessing',
      'transition_success unconfigured',
    ]);
  });

  it('is taken over by an agent that is started again, without a false step', async () => {
    await agent.start();
    await agent.apply('a.yaml', manifest('a', sleeping));
    await agent.ready('a');
    await apply(manifest('b', sleeping, { annotations: `${manual}, 'roslet.dev/after': topic /map` }));
    const active = heard(`${podNode('a_robot')}/transition_event`, TransitionEvent, volatile);
    const inactive = heard(`${podNode('b')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('b')}/transition_event`);
    await change('b', 'configure');
    // Killed in the middle of a transition.
    void change('b', 'activate').catch(() => undefined);
    await until('it is activating', async () => (await stateOf('b')) === 'activating');
    await agent.stop('SIGKILL');
    await agent.start();
    await until('the agent is back', async () => (await stateOf('a_robot')) === 'active', 60_000);
    expect(steps(active)).toEqual([]);
    // What it waits for comes: the goal that was set before goes on.
    node.createPublisher('/map', Log, volatile);
    await until('it is active', async () => (await stateOf('b')) === 'active');
    expect(steps(active)).toEqual([]);
    expect(steps(inactive).slice(0, 3)).toEqual([
      'configure configuring',
      'transition_success inactive',
      'activate activating',
    ]);
  });
});

describe('start order', () => {
  it('waits for topics, nodes and services of the graph', async () => {
    await agent.start();
    const after = 'topic /map, node /nav/planner, service /plan';
    await apply(manifest('a', sleeping, { annotations: `'roslet.dev/after': '${after}'` }));
    const statuses = heard(`${podNode('a')}/status`, PodStatus);
    const waiting = await until('it waits', async () =>
      statuses.find(({ waits_for }) => waits_for.length === 3),
    );
    expect(waiting.waits_for[0]).toBe('topic /map (nobody publishes it)');
    expect(waiting.lifecycle_state.label).toBe('inactive');
    const planner = transport.createNode('planner', '/nav');
    planner.createPublisher('/map', Log, volatile);
    await until('it waits for less', async () => statuses.at(-1)?.waits_for.length === 1);
    planner.createService('/plan', GetState, () => ({ current_state: { id: 1, label: '' } }));
    await agent.ready('a');
  });
});

it('a critical pod says what it waits for while others make room for it', async () => {
  await agent.configure('maxPods: 1', ros('all'));
  await agent.start();
  // It goes when it is told by the test, or is killed in the end.
  const stubborn = `trap : TERM; while ! test -e ${join(agent.dir, 'go')}; do sleep 0.1; done`;
  await apply(manifest('other', stubborn).replace('PeriodSeconds: 1', 'PeriodSeconds: 600'));
  await agent.ready('other');
  await agent.apply('critical.yaml', manifest('critical', sleeping));
  const statuses = heard(`${podNode('critical_robot')}/status`, PodStatus);
  const diagnostics = heard('/diagnostics', DiagnosticArray, volatile);
  const events = heard(`${podNode('critical_robot')}/transition_event`, TransitionEvent, volatile);
  const waiting = await until('it waits', async () => statuses.find(({ waits_for }) => waits_for.length > 0));
  expect(waiting).toMatchObject({
    waits_for: ['pod/default/other finalized (it is to make room)'],
    reason: 'WaitingForPreemption',
    lifecycle_state: { label: 'unconfigured' },
  });
  expect(await stateOf('critical_robot')).toBe('unconfigured');
  const shown = await until('its diagnostics', async () =>
    diagnostics.at(-1)?.status.find(({ name }) => name.endsWith('/critical-robot')),
  );
  expect(shown.message).toBe('waits for pod/default/other finalized (it is to make room)');
  await published(`${podNode('critical_robot')}/transition_event`);
  await writeFile(join(agent.dir, 'go'), '');
  await agent.ready('critical');
  await until('it does not wait any more', async () => statuses.at(-1)?.waits_for.length === 0);
  await until('its last step', async () => steps(events).at(-1) === 'transition_success active');
});

it('a pod on Fast DDS that will not be heard is told so, with what to do about it', async () => {
  await agent.start();
  const container = 'env: [{name: ROS_AUTOMATIC_DISCOVERY_RANGE, value: LOCALHOST}], ';
  await agent.apply('deaf.yaml', manifest('deaf', sleeping, { container }));
  await agent.apply(
    'fine.yaml',
    manifest('fine', sleeping, { container }).replace(
      'hostNetwork: true',
      'hostNetwork: true, hostIPC: true',
    ),
  );
  for (const name of ['deaf', 'fine']) await agent.ready(name);
  const unheard = (await agent.events()).filter(({ reason }) => reason === 'RosNodesUnheard');
  expect(unheard.map(({ involvedObject: { name } }) => name)).toEqual(['deaf-robot']);
  expect(await agent.cli('describe', 'deaf-robot')).toMatch(/RosNodesUnheard.*Set hostIPC: true/);
  const linted = await agent.tryCli('lint', agent.manifests);
  expect(linted.code).toBe(0);
  expect(linted.output).toMatch(/deaf\.yaml:\d+:\d+: .*Set hostIPC: true.*\(a warning\)/);
  expect(linted.output).toMatch(/fine\.yaml: Pod default\/fine is fine/);
});

describe('an agent without a way onto the graph', () => {
  it('goes on when the environment is wrong about it, and says how', async () => {
    await agent.remove();
    agent = await TestAgent.create({ ros: '{transport: cyclone}', env: { ROS_DOMAIN_ID: 'five' } });
    await agent.start();
    await agent.apply('a.yaml', manifest('a', sleeping));
    await agent.ready('a');
    const event = await until('the reason', async () =>
      (await agent.events()).find(({ reason }) => reason === 'RosBridgeUnavailable'),
    );
    expect(event.message).toContain("ROS_DOMAIN_ID is 'five'");
    expect(await agent.get('/healthz')).toBe('ok');
  });

  it.each([
    ['with security, which the embedded transport has not', 'cyclone', { ROS_SECURITY_ENABLE: 'true' }],
    ['with another RMW than DDS', 'auto', { RMW_IMPLEMENTATION: 'rmw_zenoh_cpp', AMENT_PREFIX_PATH: '' }],
  ])('says so and is silent, and fails no pod for it: %s', async (_, name, env) => {
    await agent.remove();
    const ros = `{transport: ${name}, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`;
    agent = await TestAgent.create({ ros, env: env as Record<string, string> });
    await agent.start();
    const [variable] = Object.keys(env);
    await until('the reason', async () =>
      (await agent.events()).some(
        ({ reason, message }) =>
          reason === 'RosBridgeUnavailable' && message?.startsWith(`${variable} is`) === true,
      ),
    );
    const container =
      'livenessProbe: {exec: {command: [ros2-probe, heartbeat, /beat, --deadline, 100ms]}, periodSeconds: 1, failureThreshold: 1}, ';
    await agent.apply('a.yaml', manifest('a', sleeping, { container }));
    await until('the probe says why', async () =>
      (await agent.events()).some(({ message }) => message?.includes(`unknown state: ${variable} is`)),
    );
    const [status] = (await agent.ready('a')).status?.containerStatuses ?? [];
    expect(status?.restartCount).toBe(0);
    expect(transport.graph.nodes().map(({ name }) => name)).not.toContain('roslet');
  });

  it('supervises pods, says why, and joins when it can', async () => {
    // All places of the domain on this host are taken.
    const config = `<CycloneDDS><Domain><Discovery><Tag>${tag}</Tag><MaxAutoParticipantIndex>1</MaxAutoParticipantIndex></Discovery></Domain></CycloneDDS>`;
    await agent.remove();
    agent = await TestAgent.create({
      ros: `{domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
      env: { CYCLONEDDS_URI: config },
    });
    await agent.start();
    await agent.apply('a.yaml', manifest('a', sleeping, { annotations: `'roslet.dev/after': topic /map` }));
    await agent.apply('b.yaml', manifest('b', sleeping));
    await agent.ready('b');
    const event = await until('the reason', async () =>
      (await agent.events()).find(({ reason }) => reason === 'RosBridgeUnavailable'),
    );
    expect(event.message).toContain('ROS_DOMAIN_ID');
    const pod = await agent.podUntil(
      'a',
      'waits',
      (p) => p.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'StartConditionUnmet',
    );
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain(
      'it is not known: No DDS participant',
    );
    await transport.close();
    await until('the bridge is up', async () => agent.log.includes('on the ROS 2 graph'), 20_000).catch(
      (e) => {
        console.log(agent.log.slice(-3000));
        throw e;
      },
    );
    transport = openPeer();
    node = transport.createNode('peer', '/');
    node.createPublisher('/map', Log, volatile);
    await agent.ready('a');
  });
});
