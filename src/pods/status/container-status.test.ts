import { describe, expect, it } from 'vitest';
import type { ContainerStatus, Pod, PodStatus } from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import type { ProbeResult } from '../../probes/results.ts';
import type { ActualPod } from '../actual.ts';
import { resourcesAnnotation } from '../resize.ts';
import { testActual, testContainer, testNowMs, testPod } from '../testing.ts';
import { condition, only, ready, status } from './testing.ts';

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
    // Also when it is looked at again.
    const again = status({ waiting, ended: true, actual: testActual([ready]), previous: told });
    expect(only(again)).toEqual(only(told));
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
      state: { running: { startedAt: time(testNowMs - 50_000) } },
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
      name: 'runs again while the one before is being taken down',
      actual: testActual(
        [ready],
        [
          testContainer('a', 'running', { attempt: 1 }),
          testContainer('a', 'running', { exitCode: 9, finishedAtMs: testNowMs }),
        ],
      ),
      state: 'running',
      last: 'terminated 9 Error',
      restartCount: 1,
    },
    {
      name: 'runs again while the end of the one before is not known yet',
      actual: testActual(
        [ready],
        [testContainer('a', 'running', { attempt: 1 }), testContainer('a', 'running')],
      ),
      state: 'running',
      restartCount: 1,
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

function short(state: ContainerStatus['state']): string {
  if (state?.waiting) return `waiting ${state.waiting.reason}`;
  if (state?.terminated) return `terminated ${state.terminated.exitCode} ${state.terminated.reason}`;
  return state?.running ? 'running' : '';
}
