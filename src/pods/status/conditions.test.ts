import { describe, expect, it } from 'vitest';
import type { PodStatus } from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import { testActual, testContainer, testNowMs, testPod } from '../testing.ts';
import { condition, now, ready, status } from './testing.ts';

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
    expect(condition(status({ previous }), 'Ready')?.lastTransitionTime).toBe(time(testNowMs - 9000));
    const changed = status({ previous, actual: testActual([ready]) });
    expect(condition(changed, 'Ready')?.lastTransitionTime).toBe(now);
  });
});

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
