import { describe, expect, it } from 'vitest';
import type { PodStatus } from '../api/core.gen.ts';
import type { Action } from './actions.ts';
import { lastingProblem, waitingNow } from './waiting.ts';

const start = (name: string): Action => ({
  do: 'startContainer',
  name,
  kind: 'app',
  podSandboxId: 'sb0',
  restartCount: 1,
  hash: 'h',
  backoffMs: 0,
});
const why = (reason: string) => ({ reason, message: `of ${reason}` });
const told = (reason: string): PodStatus => ({
  containerStatuses: [
    { name: 'a', image: 'i', imageID: '', ready: false, restartCount: 1, state: { waiting: why(reason) } },
  ],
});

describe('why a container waits', () => {
  it.each([
    { name: 'what failed', failed: [['a', why('ErrImagePull')]] as const, expected: why('ErrImagePull') },
    {
      name: 'what was told, until it runs',
      actions: [start('a')],
      status: told('CrashLoopBackOff'),
      expected: why('CrashLoopBackOff'),
    },
    {
      name: 'what failed rather than what was told',
      failed: [['a', why('ErrImagePull')]] as const,
      actions: [start('a')],
      status: told('CrashLoopBackOff'),
      expected: why('ErrImagePull'),
    },
    {
      name: 'what is planned rather than what failed',
      failed: [['a', why('ErrImagePull')]] as const,
      waiting: [['a', why('PodInitializing')]] as const,
      expected: why('PodInitializing'),
    },
    { name: 'nothing when it is not to be started', status: told('CrashLoopBackOff'), expected: undefined },
  ])('is $name', ({ failed = [], actions = [], waiting = [], status, expected }) => {
    expect(waitingNow(new Map(failed), { actions, waiting: new Map(waiting) }, status).get('a')).toEqual(
      expected,
    );
  });
});

describe('what keeps a pod from being active', () => {
  it('is what fails again, or a crash loop, and nothing that passes by itself', () => {
    expect(lastingProblem(why('X'), told('CrashLoopBackOff'))).toEqual(why('X'));
    expect(lastingProblem(undefined, told('CrashLoopBackOff'))).toEqual(why('CrashLoopBackOff'));
    expect(lastingProblem(undefined, told('ContainerCreating'))).toBeUndefined();
    expect(lastingProblem(undefined, undefined)).toBeUndefined();
  });
});
