import { expect, it } from 'vitest';
import type { ContainerStatus } from '../../runtime/runtime.ts';
import { type ObservationContext, observe } from './observation.ts';
import type { PodRecord } from './pod-record.ts';
import { testActual, testContainer, testPod, testSandbox } from './testing.ts';

function contextOf(containers: ContainerStatus[], over: Partial<PodRecord> = {}) {
  const seen = { probed: [] as string[], stopping: false, lost: [] as string[], read: [] as string[] };
  const forgotten: string[] = [];
  const context: ObservationContext = {
    record: {
      pod: testPod({ containers: ['a', 'b'].map((name) => ({ name, image: 'i' })) }),
      firstSeenMs: 0,
      ended: false,
      removing: false,
      runtime: 'process',
      ...over,
    },
    actual: testActual([testSandbox()], containers),
    effects: {
      probe: ({ running, stopping }) => {
        seen.probed = [...running].map(({ id }) => id);
        seen.stopping = stopping;
      },
      reportLost: (_pod, { id }) => void seen.lost.push(id),
      terminationMessage: async ({ id }) => {
        seen.read.push(id);
        return `bye from ${id}`;
      },
    },
    failures: { delete: (subject) => void forgotten.push(subject) },
    terminationMessages: new Map([['gone', 'x']]),
  };
  return { context, seen, forgotten };
}
const { signal } = new AbortController();
const lost = { reason: 'ContainerStatusUnknown', exitCode: 255 };

it('probes the newest instances that run, and takes what runs for no failure', async () => {
  const { context, seen, forgotten } = contextOf([
    testContainer('a', 'running', { attempt: 1 }),
    testContainer('a', 'exited'),
    testContainer('b', 'exited'),
  ]);
  await observe(context, signal);
  expect(seen).toMatchObject({ probed: ['a1'], stopping: false });
  expect(forgotten).toEqual(['a', '']);
});

it('does not probe what has ended, and keeps why nothing follows it, while it is being taken down', async () => {
  const { context, seen, forgotten } = contextOf([testContainer('a', 'running', { finishedAtMs: 1 })]);
  await observe(context, signal);
  expect(seen.probed).toEqual([]);
  expect(forgotten).toEqual(['']);
});

it.each<Partial<PodRecord>>([{ stop: { graceMs: 1, deadlineMs: 1 } }, { goal: 'inactive' }])(
  'probes no readiness of a pod that goes down: %j',
  async (over) => {
    const { context, seen } = contextOf([testContainer('a', 'running')], over);
    await observe(context, signal);
    expect(seen.stopping).toBe(true);
  },
);

it('reads the last words of each instance once, and forgets those of instances that are gone', async () => {
  const { context, seen } = contextOf([testContainer('a', 'exited'), testContainer('b', 'running')]);
  await observe(context, signal);
  await observe(context, signal);
  expect(seen.read).toEqual(['a0']);
  expect([...context.terminationMessages]).toEqual([['a0', 'bye from a0']]);
});

it('tells of a container whose end nobody saw, unless an earlier life of the agent did', async () => {
  const ended = testContainer('a', 'exited', lost);
  const { context, seen } = contextOf([ended]);
  await observe(context, signal);
  expect(seen.lost).toEqual(['a0']);
  const known = { name: 'a', image: 'i', imageID: '', ready: false, restartCount: 0 };
  const again = contextOf([ended], {
    status: {
      containerStatuses: [
        { ...known, lastState: { terminated: { exitCode: 255, containerID: 'test://a0' } } },
      ],
    },
  });
  await observe(again.context, signal);
  expect(again.seen.lost).toEqual([]);
});
