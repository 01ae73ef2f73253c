import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../log.ts';
import { testActual, testPod, testSandbox } from '../testing.ts';
import { turns } from '../turns.ts';
import { type ContainerKillDeps, killContainer } from './container-kill.ts';

const { signal } = new AbortController();

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('gives a container what is left of its grace when its turn has come', async () => {
  const graces: number[] = [];
  const turn = turns(1);
  const deps: Pick<ContainerKillDeps, 'turns' | 'events' | 'log'> & { runtime: object } = {
    runtime: {
      stopContainer: async (_: string, graceSeconds: number) => void graces.push(graceSeconds),
    },
    turns: turn,
    events: { event: () => undefined },
    log: silentLogger(),
  };
  const kill = (graceMs: number) => ({
    pod: testPod(),
    actual: testActual([testSandbox()]),
    kill: { do: 'killContainer', containerId: 'a0', name: 'a', reason: 'pod', message: '', graceMs } as const,
    again: false,
    onExit: () => undefined,
  });
  const others = Promise.withResolvers<void>();
  const busy = turn('startContainer', testPod(), () => others.promise, signal);
  const kills = [10_000, 4000].map((graceMs) =>
    killContainer(deps as ContainerKillDeps, kill(graceMs), signal),
  );
  await vi.advanceTimersByTimeAsync(3000);
  others.resolve();
  await Promise.all([busy, ...kills]);
  // 2 s are what every container gets.
  expect(graces).toEqual([7, 2]);
});
