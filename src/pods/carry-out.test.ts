import { expect, it } from 'vitest';
import type { Action } from './actions.ts';
import { type CarryOutContext, carryOut } from './carry-out.ts';
import type { StartFailure } from './effects/failure.ts';
import { Failures } from './failures.ts';
import { testActual, testPod, testSandbox } from './testing.ts';

function contextOf(failure?: StartFailure) {
  const steps: string[] = [];
  const step = (name: string) => {
    steps.push(name);
    return Promise.resolve(failure);
  };
  const context: CarryOutContext = {
    record: { pod: testPod(), firstSeenMs: 0, ended: false, removing: false, runtime: 'process' },
    actual: testActual([testSandbox()]),
    runtime: {
      stopPodSandbox: async (id) => void steps.push(`stop ${id}`),
      removeContainer: async (id) => void steps.push(`remove ${id}`),
    },
    effects: {
      createSandbox: () => step('create'),
      pullImage: (_pod, { name }) => step(`pull ${name}`),
      startContainer: (_pod, { name }, actual) => step(`start ${name} in ${actual.sandboxes[0]?.id}`),
    },
    turns: (_kind, _pod, work) => work(),
    failures: new Failures(() => 1000),
    kills: { begin: ({ containerId }) => void steps.push(`kill ${containerId}`) },
    resizing: { retryAtMs: undefined },
    resize: async ([name]) => {
      steps.push(`resize ${name}`);
      return testActual([testSandbox({ id: 'resized' })]);
    },
    pulled: new Set(),
  };
  return { context, steps };
}
const { signal } = new AbortController();
const start = (name: string): Action => ({
  do: 'startContainer',
  name,
  kind: 'app',
  podSandboxId: 'sb0',
  restartCount: 0,
  hash: 'h',
  backoffMs: 0,
});
const kill: Action = {
  do: 'killContainer',
  containerId: 'a0',
  name: 'a',
  reason: 'pod',
  message: '',
  graceMs: 0,
};

it('does one after the other', async () => {
  const { context, steps } = contextOf();
  const outcome = await carryOut(
    [
      kill,
      { do: 'removeContainer', containerId: 'a0' },
      { do: 'createSandbox', attempt: 0, replaces: [] },
      { do: 'pullImage', name: 'a' },
      { do: 'resize', names: ['b'] },
      start('a'),
      { do: 'stopSandbox', podSandboxId: 'sb0' },
    ],
    context,
    signal,
  );
  expect(steps).toEqual([
    'kill a0',
    'remove a0',
    'create',
    'pull a',
    'resize b',
    'start a in resized',
    'stop sb0',
  ]);
  expect(outcome).toEqual({ acted: true, retryAtMs: undefined });
  expect([...context.pulled]).toEqual(['a']);
});

it('has not acted by a kill, which goes on in the background', async () => {
  const { context } = contextOf();
  expect(await carryOut([kill], context, signal)).toEqual({ acted: false, retryAtMs: undefined });
});

it('keeps what failed, and tries that again no sooner than it is due, but all the rest', async () => {
  const { context, steps } = contextOf({ reason: 'ErrImagePull', message: 'm', retryInMs: 300 });
  expect(await carryOut([{ do: 'pullImage', name: 'a' }], context, signal)).toMatchObject({ acted: true });
  expect([...context.pulled]).toEqual([]);
  expect(context.failures.waiting().get('a')?.reason).toBe('ErrImagePull');
  expect(await carryOut([start('a')], context, signal)).toEqual({ acted: false, retryAtMs: 1300 });
  expect(await carryOut([start('a'), start('b')], context, signal)).toEqual({ acted: true, retryAtMs: 1300 });
  expect(steps).toEqual(['pull a', 'start b in sb0']);
});

it('waits with a resize that failed until it is due', async () => {
  const { context, steps } = contextOf();
  const waiting = { ...context, resizing: { retryAtMs: 1100 } };
  expect(await carryOut([{ do: 'resize', names: ['a'] }], waiting, signal)).toEqual({
    acted: false,
    retryAtMs: 1100,
  });
  expect(steps).toEqual([]);
});

it('stops where it is aborted', async () => {
  const { context, steps } = contextOf();
  await expect(carryOut([start('a')], context, AbortSignal.abort())).rejects.toThrow();
  expect(steps).toEqual([]);
});
