import { describe, expect, it } from 'vitest';
import type { Container, ContainerStatus, Pod, PodStatus } from '../api/core.gen.ts';
import type { ProbeResult } from '../probes/results.ts';
import type { ActualPod } from './actual.ts';
import { resourcesAnnotation } from './resize.ts';
import { podPhase, podStatus, type StatusInput } from './status.ts';
import { testActual, testContainer, testNowMs, testPod, testProbes, testSandbox } from './testing.ts';

const ready = testSandbox();
const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const now = at(testNowMs);

function status(
  over: Partial<Omit<StatusInput, 'probes'>> & { probes?: Record<string, ProbeResult> } = {},
): PodStatus {
  const { probes, ...rest } = over;
  return podStatus({
    pod: testPod(),
    actual: testActual([ready], [testContainer('a', 'running')]),
    runtimeName: 'process',
    probes: testProbes(probes),
    waiting: new Map(),
    terminationMessages: new Map(),
    previous: undefined,
    startTime: now,
    hostIps: ['192.0.2.1'],
    qosClass: 'BestEffort',
    ended: false,
    nowMs: testNowMs,
    ...rest,
  });
}

const only = (s: PodStatus): ContainerStatus => s.containerStatuses![0]!;
const condition = (s: PodStatus, type: string) => s.conditions?.find((c) => c.type === type);
const probed = (kind: 'readinessProbe' | 'startupProbe'): Pod =>
  testPod({ containers: [{ name: 'a', image: 'i', [kind]: { exec: { command: ['x'] } } }] });

describe('container status', () => {
  it('of one that never started when its pod was taken down', () => {
    const waiting = new Map([['a', { reason: 'ImagePullBackOff', message: 'no' }]]);
    const told = status({ waiting, ended: true, actual: testActual([ready]) });
    expect(told.phase).toBe('Failed');
    expect(only(told).state).toMatchObject({
      terminated: { reason: 'ContainerStatusUnknown', exitCode: 137 },
    });
  });
  it('stays as it was when an init container kept it from starting', () => {
    const pod = testPod({ initContainers: [{ name: 'i', image: 'i' }] });
    const told = status({ pod, ended: true, actual: testActual([ready]) });
    expect(told.phase).toBe('Failed');
    expect(only(told).state).toMatchObject({ waiting: { reason: 'PodInitializing' } });
  });
  it('of a running container', () => {
    expect(only(status())).toEqual({
      name: 'a',
      image: 'i',
      imageID: 'sha256:i',
      containerID: 'process://a0',
      restartCount: 0,
      ready: true,
      started: true,
      state: { running: { startedAt: at(testNowMs - 50_000) } },
      lastState: {},
    });
  });

  it('of a container that is being resized tells what it has and what it is to have', () => {
    const resources = { requests: { cpu: '2' } };
    const applied = { annotations: { [resourcesAnnotation]: '{"requests":{"cpu":"1"}}' } };
    const pod = testPod({ containers: [{ name: 'a', image: 'i', resources }] });
    const running = testActual([ready], [testContainer('a', 'running', applied)]);
    expect(only(status({ pod, actual: running }))).toMatchObject({
      allocatedResources: { cpu: '2' },
      resources: { requests: { cpu: '1' } },
    });
    const ended = testActual([ready], [testContainer('a', 'exited', applied)]);
    expect(only(status({ pod, actual: ended })).resources).toEqual(resources);
  });

  const states: {
    name: string;
    pod?: Pod;
    actual: ActualPod;
    waiting?: [string, string];
    ended?: boolean;
    state: string;
    last?: string;
    restartCount?: number;
  }[] = [
    { name: 'not made yet', actual: testActual([]), state: 'waiting ContainerCreating' },
    {
      name: 'not made yet, init containers first',
      pod: testPod({ initContainers: [{ name: 'i', image: 'i' }] }),
      actual: testActual([ready]),
      state: 'waiting PodInitializing',
    },
    {
      name: 'made but not started',
      actual: testActual([ready], [testContainer('a', 'created')]),
      state: 'waiting ContainerCreating',
    },
    {
      name: 'image cannot be pulled',
      actual: testActual([ready]),
      waiting: ['ImagePullBackOff', 'Back-off pulling image "i"'],
      state: 'waiting ImagePullBackOff',
    },
    {
      name: 'ended well',
      actual: testActual([ready], [testContainer('a', 'exited')]),
      state: 'terminated 0 Completed',
    },
    {
      name: 'ended badly',
      actual: testActual([ready], [testContainer('a', 'exited', { exitCode: 3 })]),
      state: 'terminated 3 Error',
    },
    {
      name: 'killed for memory',
      actual: testActual([ready], [testContainer('a', 'exited', { exitCode: 137, reason: 'OOMKilled' })]),
      state: 'terminated 137 OOMKilled',
    },
    {
      name: 'in back off',
      actual: testActual([ready], [testContainer('a', 'exited', { exitCode: 1, attempt: 1 })]),
      waiting: ['CrashLoopBackOff', 'back-off 10s'],
      state: 'waiting CrashLoopBackOff',
      last: 'terminated 1 Error',
      restartCount: 1,
    },
    {
      name: 'in back off when the pod ended',
      actual: testActual([ready], [testContainer('a', 'exited', { exitCode: 1 })]),
      waiting: ['CrashLoopBackOff', ''],
      ended: true,
      state: 'terminated 1 Error',
    },
    {
      name: 'runs again',
      actual: testActual(
        [ready],
        [
          testContainer('a', 'running', { attempt: 2 }),
          testContainer('a', 'exited', { attempt: 1, exitCode: 9 }),
        ],
      ),
      state: 'running',
      last: 'terminated 9 Error',
      restartCount: 2,
    },
    {
      name: 'made anew after a crash but not started',
      actual: testActual(
        [ready],
        [testContainer('a', 'created', { attempt: 1 }), testContainer('a', 'exited', { exitCode: 1 })],
      ),
      state: 'waiting ContainerCreating',
      last: 'terminated 1 Error',
    },
  ];
  it.each(states)('$name: $state', (c) => {
    const result = only(
      status({
        actual: c.actual,
        ...(c.pod === undefined ? {} : { pod: c.pod }),
        ...(c.waiting === undefined
          ? {}
          : { waiting: new Map([['a', { reason: c.waiting[0], message: c.waiting[1] }]]) }),
        ended: c.ended ?? false,
      }),
    );
    expect(short(result.state)).toBe(c.state);
    expect(short(result.lastState)).toBe(c.last ?? '');
    expect(result.restartCount).toBe(c.restartCount ?? 0);
  });

  it('shows the last words', () => {
    const result = status({
      actual: testActual([ready], [testContainer('a', 'exited', { exitCode: 1 })]),
      terminationMessages: new Map([['a0', 'lost the map']]),
    });
    expect(only(result).state?.terminated?.message).toBe('lost the map');
  });

  it('keeps what was known of a container whose record is gone', () => {
    const pod = testPod({ initContainers: [{ name: 'i', image: 'i' }] });
    const previous = status({
      pod,
      actual: testActual([ready], [testContainer('a', 'running'), testContainer('i', 'exited')]),
    });
    const result = status({ pod, previous });
    expect(result.initContainerStatuses![0]).toMatchObject({
      ready: true,
      state: { terminated: { exitCode: 0 } },
    });
    expect(condition(result, 'Initialized')?.status).toBe('True');
  });

  it('tells of a container that ran and whose record is gone that it has ended', () => {
    const actual = testActual([ready], [testContainer('a', 'running')]);
    const result = status({ actual: testActual([ready]), previous: status({ actual }) });
    expect(short(only(result).lastState)).toBe('terminated 137 ContainerStatusUnknown');
    expect(result.phase).toBe('Running');
  });

  it('keeps what was known when the runtime cannot tell', () => {
    const previous = status();
    const result = status({ previous, actual: testActual([ready], [testContainer('a', 'unknown')]) });
    expect(only(result).state).toEqual(only(previous).state);
    const unseen = testActual([ready], [testContainer('a', 'unknown', { startedAtMs: 0 })]);
    expect(only(status({ previous, actual: unseen })).state).toEqual(only(previous).state);
  });

  it('shows what runs without its supervisor as running, with the end of the instance before', () => {
    const before = testContainer('a', 'exited', { exitCode: 3 });
    const actual = testActual([ready], [testContainer('a', 'unknown', { attempt: 1 }), before]);
    const result = only(status({ actual }));
    expect(result).toMatchObject({ ready: false, restartCount: 1, state: { running: expect.anything() } });
    expect(result.lastState?.terminated?.exitCode).toBe(3);
  });

  it('never counts restarts down', () => {
    const previous = status({ actual: testActual([ready], [testContainer('a', 'running', { attempt: 7 })]) });
    expect(only(status({ previous, actual: testActual([]) })).restartCount).toBe(7);
  });
});

describe('readiness', () => {
  const cases: {
    name: string;
    pod: Pod;
    probes: Record<string, ProbeResult>;
    before?: { ready: boolean; started: boolean };
    started: boolean;
    ready: boolean;
  }[] = [
    { name: 'without probes', pod: testPod(), probes: {}, started: true, ready: true },
    {
      name: 'readiness not known yet',
      pod: probed('readinessProbe'),
      probes: { 'a0/readiness': 'unknown' },
      started: true,
      ready: false,
    },
    {
      name: 'readiness not probed yet',
      pod: probed('readinessProbe'),
      probes: {},
      started: true,
      ready: false,
    },
    {
      name: 'readiness succeeded',
      pod: probed('readinessProbe'),
      probes: { 'a0/readiness': 'success' },
      started: true,
      ready: true,
    },
    {
      name: 'readiness failed',
      pod: probed('readinessProbe'),
      probes: { 'a0/readiness': 'failure' },
      before: { ready: true, started: true },
      started: true,
      ready: false,
    },
    {
      name: 'readiness of the same instance known by an earlier life of the agent',
      pod: probed('readinessProbe'),
      probes: { 'a0/readiness': 'unknown' },
      before: { ready: true, started: true },
      started: true,
      ready: true,
    },
    {
      name: 'startup not known yet',
      pod: probed('startupProbe'),
      probes: { 'a0/startup': 'unknown' },
      started: false,
      ready: false,
    },
    {
      name: 'startup succeeded',
      pod: probed('startupProbe'),
      probes: { 'a0/startup': 'success' },
      started: true,
      ready: true,
    },
  ];
  it.each(cases)('$name', (c) => {
    const before = status({ pod: c.pod });
    const previous: PodStatus | undefined = c.before && {
      ...before,
      containerStatuses: [{ ...only(before), ...c.before }],
    };
    const result = only(status({ pod: c.pod, probes: c.probes, previous }));
    expect({ started: result.started, ready: result.ready }).toEqual({ started: c.started, ready: c.ready });
  });

  it('of another instance is not inherited', () => {
    const pod = probed('readinessProbe');
    const previous = status({ pod, probes: { 'a0/readiness': 'success' } });
    const actual = testActual([ready], [testContainer('a', 'running', { attempt: 1 })]);
    expect(only(status({ pod, previous, actual })).ready).toBe(false);
  });
});

describe('conditions', () => {
  it('of a pod that runs', () => {
    expect(status().conditions?.map((c) => `${c.type}=${c.status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
  });

  it('name the containers that are not ready', () => {
    const result = status({ actual: testActual([ready]) });
    expect(condition(result, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [a]',
    });
  });

  it('name the init containers that are not done', () => {
    const pod = testPod({ initContainers: [{ name: 'i', image: 'i' }] });
    expect(condition(status({ pod, actual: testActual([ready]) }), 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [i]',
    });
  });

  it('say that a pod has completed', () => {
    const result = status({
      pod: testPod({ restartPolicy: 'Never' }),
      actual: testActual([], [testContainer('a', 'exited')]),
      ended: true,
    });
    expect(result.phase).toBe('Succeeded');
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
    expect(condition(result, 'PodReadyToStartContainers')?.status).toBe('False');
  });

  it('wait for readiness gates', () => {
    const pod = testPod({ readinessGates: [{ conditionType: 'x.io/g' }] });
    const result = status({ pod });
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' });
    expect(condition(result, 'ContainersReady')?.status).toBe('True');
    const previous = { ...result, conditions: [...result.conditions!, { type: 'x.io/g', status: 'True' }] };
    expect(condition(status({ pod, previous }), 'Ready')?.status).toBe('True');
    expect(condition(status({ pod, previous }), 'x.io/g')?.status).toBe('True');
  });

  it('keep the time of their last transition', () => {
    const previous = status({ nowMs: testNowMs - 9000 });
    expect(condition(status({ previous }), 'Ready')?.lastTransitionTime).toBe(at(testNowMs - 9000));
    const changed = status({ previous, actual: testActual([ready]) });
    expect(condition(changed, 'Ready')?.lastTransitionTime).toBe(now);
  });
});

describe('addresses', () => {
  it("are the sandbox's", () => {
    expect(status()).toMatchObject({ podIP: '10.0.0.7', podIPs: [{ ip: '10.0.0.7' }], hostIP: '192.0.2.1' });
  });
  it("are the host's on the host network", () => {
    expect(status({ pod: testPod({ hostNetwork: true }) }).podIP).toBe('192.0.2.1');
  });
  it('stay for the record when the sandbox is gone, until there is another', () => {
    const previous = status();
    expect(status({ previous, actual: testActual([]) }).podIP).toBe('10.0.0.7');
    expect(status({ previous, actual: testActual([]), ended: true }).podIP).toBe('10.0.0.7');
    const another = testSandbox({ ips: ['10.0.0.8'] });
    expect(status({ previous, actual: testActual([another]) }).podIP).toBe('10.0.0.8');
  });
});

describe('an ephemeral container', () => {
  const pod = testPod({ ephemeralContainers: [{ name: 'd', image: 'i' }] });
  it('is told of apart, and is neither ready nor in the way of readiness', () => {
    const { conditions, containerStatuses, ephemeralContainerStatuses } = status({
      pod,
      actual: testActual([ready], [testContainer('a', 'running'), testContainer('d', 'exited')]),
    });
    expect(containerStatuses).toHaveLength(1);
    expect(ephemeralContainerStatuses).toMatchObject([
      { name: 'd', ready: false, state: { terminated: {} } },
    ]);
    expect(conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });
});

describe('verdict', () => {
  it('of a pod that was never admitted leaves no containers that seem to be made', () => {
    const verdict = { phase: 'Failed' as const, reason: 'OutOfcpu', message: 'm' };
    const refused = status({ verdict, ended: true, actual: testActual([]) });
    expect(refused.containerStatuses).toBeUndefined();
    const evicted = status({
      verdict,
      ended: true,
      actual: testActual([ready], [testContainer('a', 'exited')]),
    });
    expect(evicted.containerStatuses).toHaveLength(1);
  });

  it('is the phase, reason and message', () => {
    const verdict = { phase: 'Failed' as const, reason: 'Evicted', message: 'no memory' };
    expect(status({ verdict, ended: true })).toMatchObject(verdict);
  });
  it('is no phase before everything has ended', () => {
    const verdict = { phase: 'Failed' as const, reason: 'Evicted', message: 'no memory' };
    expect(status({ verdict })).toMatchObject({ phase: 'Running', reason: 'Evicted' });
  });
});

describe('phase', () => {
  const run: ContainerStatus['state'] = { running: {} };
  const end = (exitCode: number): ContainerStatus['state'] => ({ terminated: { exitCode } });
  const wait: ContainerStatus['state'] = { waiting: {} };
  const of = (
    name: string,
    state: ContainerStatus['state'],
    lastState: ContainerStatus['lastState'] = {},
  ) => ({
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    state,
    lastState,
  });
  const i: Container = { name: 'i', image: '' };
  const cases: {
    name: string;
    policy?: string;
    init?: Container;
    inits?: ContainerStatus[];
    apps: ContainerStatus[];
    ended?: boolean;
    phase: string;
  }[] = [
    { name: 'all waiting', apps: [of('a', wait), of('b', wait)], phase: 'Pending' },
    { name: 'one running, one waiting', apps: [of('a', run), of('b', wait)], phase: 'Pending' },
    {
      name: 'one running, one back in its queue',
      apps: [of('a', run), of('b', wait, end(1))],
      phase: 'Running',
    },
    { name: 'all running', apps: [of('a', run), of('b', run)], phase: 'Running' },
    { name: 'crashed and waiting', apps: [of('a', wait, end(1)), of('b', wait, end(1))], phase: 'Running' },
    { name: 'ended, Always', apps: [of('a', end(0)), of('b', end(0))], phase: 'Running' },
    {
      name: 'ended well, Never, not taken down yet',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(0))],
      phase: 'Running',
    },
    {
      name: 'ended well, Never',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(0))],
      ended: true,
      phase: 'Succeeded',
    },
    {
      name: 'one failed, Never',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(1))],
      ended: true,
      phase: 'Failed',
    },
    {
      name: 'failed, OnFailure restarts',
      policy: 'OnFailure',
      apps: [of('a', end(0)), of('b', end(1))],
      phase: 'Running',
    },
    {
      name: 'taken down while some never started',
      apps: [of('a', end(0)), of('b', wait)],
      ended: true,
      phase: 'Failed',
    },
    { name: 'taken down before anything started', apps: [of('a', wait)], ended: true, phase: 'Failed' },
    {
      name: 'taken down while an init container ran',
      init: i,
      inits: [of('i', end(137))],
      apps: [of('a', wait)],
      ended: true,
      phase: 'Failed',
    },
    { name: 'init running', init: i, inits: [of('i', run)], apps: [of('a', wait)], phase: 'Pending' },
    {
      name: 'init failing',
      init: i,
      inits: [of('i', wait, end(1))],
      apps: [of('a', wait)],
      phase: 'Pending',
    },
    {
      name: 'init failed, Never',
      policy: 'Never',
      init: i,
      inits: [of('i', end(1))],
      apps: [of('a', wait)],
      ended: true,
      phase: 'Failed',
    },
    {
      name: 'sidecar not started',
      init: { ...i, restartPolicy: 'Always' },
      inits: [of('i', run)],
      apps: [of('a', wait)],
      phase: 'Pending',
    },
    {
      name: 'sidecar crashed beside a running container',
      init: { ...i, restartPolicy: 'Always' },
      inits: [of('i', wait, end(1))],
      apps: [of('a', run)],
      phase: 'Running',
    },
  ];
  it.each(cases)('$name: $phase', (c) => {
    const pod = testPod({
      restartPolicy: c.policy ?? 'Always',
      containers: c.apps.map((s) => ({ name: s.name, image: '' })),
      ...(c.init === undefined ? {} : { initContainers: [c.init] }),
    });
    expect(podPhase(pod, c.inits ?? [], c.apps, c.ended ?? false)).toBe(c.phase);
  });
});

function short(state: ContainerStatus['state']): string {
  if (state?.waiting) return `waiting ${state.waiting.reason}`;
  if (state?.terminated) return `terminated ${state.terminated.exitCode} ${state.terminated.reason}`;
  return state?.running ? 'running' : '';
}

describe('a resize', () => {
  const pending = { reason: 'Deferred' as const, message: 'no room', generation: 2, sinceMs: testNowMs };
  const old = { type: 'PodResizeInProgress', status: 'True' };
  const types = (s: PodStatus) =>
    s.conditions?.map(({ type }) => type).filter((t) => t.startsWith('PodResize'));

  it('is told by conditions of its own generation while it lasts', () => {
    const inProgress = { generation: 1, sinceMs: testNowMs, error: 'too small' };
    const told = status({ resize: { pending, inProgress } });
    expect(condition(told, 'PodResizePending')).toEqual({
      type: 'PodResizePending',
      status: 'True',
      reason: 'Deferred',
      message: 'no room',
      lastTransitionTime: now,
      observedGeneration: 2,
    });
    expect(condition(told, 'PodResizeInProgress')).toMatchObject({
      reason: 'Error',
      message: 'too small',
      observedGeneration: 1,
    });
    expect(types(status({ previous: { conditions: [old] } }))).toEqual([]);
  });

  it('is over with the pod', () => {
    const verdict = { phase: 'Failed' as const };
    expect(types(status({ resize: { pending }, ended: true, verdict }))).toEqual([]);
  });
});

describe('a pod that the node ended for the sake of others', () => {
  const disruption = 'The node was low on resource: memory. ';
  const verdict = { phase: 'Failed' as const, reason: 'Evicted', message: disruption, disruption };
  const target = (s: PodStatus) => s.conditions?.filter(({ type }) => type === 'DisruptionTarget');

  it('says so when it has ended, and not before', () => {
    expect(target(status({ verdict }))).toEqual([]);
    const told = status({ verdict, ended: true });
    expect(target(told)).toEqual([
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'TerminationByKubelet',
        message: disruption,
        lastTransitionTime: now,
      },
    ]);
    expect(target(status({ verdict, ended: true, previous: told, nowMs: testNowMs + 5000 }))).toEqual(
      target(told),
    );
  });

  it('keeps what another said of it', () => {
    const theirs = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' };
    expect(target(status({ previous: { conditions: [theirs] } }))).toEqual([theirs]);
  });
});
