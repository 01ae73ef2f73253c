import { describe, expect, it } from 'vitest';
import type { PodStatus } from '../api/core.gen.ts';
import {
  type LifecycleLevel,
  type LifecycleRequest,
  lifecycleState,
  type PodLifecycle,
  reachedLevel,
} from './lifecycle.ts';

const pod = (
  goal: LifecycleLevel,
  reached: LifecycleLevel,
  over: Partial<PodLifecycle> = {},
): PodLifecycle => ({
  goal,
  reached,
  isStopping: false,
  isUnwanted: false,
  isEnded: false,
  waitsFor: [],
  ...over,
});
const request = (transition: LifecycleRequest['transition'], isFailing = false) => ({
  transition,
  isFailing,
});
const problem = { reason: 'CrashLoopBackOff', message: '' };

describe('the state that is shown', () => {
  it.each<[string, PodLifecycle, LifecycleRequest | undefined]>([
    ['unconfigured', pod('unconfigured', 'unconfigured'), undefined],
    ['configuring', pod('inactive', 'unconfigured'), undefined],
    ['configuring', pod('active', 'unconfigured'), undefined],
    ['inactive', pod('inactive', 'inactive'), undefined],
    ['activating', pod('active', 'inactive'), undefined],
    ['active', pod('active', 'active'), undefined],
    // A restart of a container is no change of state.
    ['active', pod('active', 'active', { problem }), undefined],
    ['deactivating', pod('inactive', 'active'), undefined],
    ['cleaningup', pod('unconfigured', 'inactive'), undefined],
    // Nobody works at it: it is as far as it is.
    ['inactive', pod('active', 'inactive', { waitsFor: ['topic /map'] }), undefined],
    ['inactive', pod('active', 'inactive', { problem }), undefined],
    ['unconfigured', pod('active', 'unconfigured', { problem }), undefined],
    // Somebody asked and waits.
    ['activating', pod('active', 'inactive', { waitsFor: ['topic /map'] }), request('activate')],
    ['configuring', pod('inactive', 'unconfigured', { problem }), request('configure')],
    ['errorprocessing', pod('unconfigured', 'inactive'), request('activate', true)],
    ['errorprocessing', pod('unconfigured', 'unconfigured'), request('configure', true)],
    ['shuttingdown', pod('active', 'active'), request('shutdown')],
    ['shuttingdown', pod('active', 'active', { isStopping: true }), undefined],
    ['shuttingdown', pod('active', 'inactive', { isStopping: true }), request('activate', true)],
    ['finalized', pod('active', 'active', { isStopping: true, isEnded: true }), undefined],
    ['finalized', pod('unconfigured', 'unconfigured', { isStopping: true, isEnded: true }), undefined],
  ])('is %s of %j with %j', (state, lifecycle, asked) => {
    expect(lifecycleState(lifecycle, asked)).toBe(state);
  });
});

describe('how far a pod has come', () => {
  const status = (ready: boolean): PodStatus => ({
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  });
  it.each<
    [
      string,
      LifecycleLevel,
      LifecycleLevel,
      { prepared?: boolean; sandbox?: boolean; containers?: boolean; cleared?: boolean; ready?: boolean },
      LifecycleLevel,
    ]
  >([
    ['nothing was done', 'unconfigured', 'active', {}, 'unconfigured'],
    ['a sandbox is there', 'unconfigured', 'active', { prepared: true }, 'inactive'],
    ['it runs but is not ready', 'inactive', 'active', { prepared: true, containers: true }, 'inactive'],
    ['it is ready', 'inactive', 'active', { prepared: true, containers: true, ready: true }, 'active'],
    [
      'it was ready before the agent knew of states',
      'unconfigured',
      'active',
      { prepared: true, ready: true },
      'active',
    ],
    ['it is not ready any more', 'active', 'active', { sandbox: true, containers: true }, 'active'],
    ['its containers are between two lives', 'active', 'active', { sandbox: true }, 'active'],
    ['its sandbox was lost', 'active', 'active', {}, 'unconfigured'],
    ['the machine was started anew', 'active', 'active', { containers: true }, 'unconfigured'],
    ['its containers go down', 'active', 'inactive', { containers: true }, 'active'],
    ['its containers are down and forgotten', 'active', 'inactive', {}, 'inactive'],
    [
      'it is ready although it should not run',
      'active',
      'inactive',
      { containers: true, ready: true },
      'active',
    ],
    ['its sandbox goes down', 'inactive', 'unconfigured', {}, 'inactive'],
    ['all is gone', 'inactive', 'unconfigured', { cleared: true }, 'unconfigured'],
    ['images are still to come', 'unconfigured', 'inactive', {}, 'unconfigured'],
    ['it lost its sandbox while inactive', 'inactive', 'inactive', {}, 'inactive'],
  ])('%s', (_, before, goal, facts, expected) => {
    const { containers = false, cleared = false, prepared = false, ready = false, sandbox = false } = facts;
    const plan = { actions: [], waiting: new Map(), stopped: false, prepared };
    expect(
      reachedLevel({
        before,
        goal,
        plan,
        hasSandbox: sandbox,
        hasContainers: containers,
        isCleared: cleared,
        status: status(ready),
      }),
    ).toBe(expected);
  });
});
