import { expect, test } from 'vitest';
import type { RosFinding, RosProbeSpec } from '../prober.ts';
import { rosProber } from './prober.ts';

const spec: RosProbeSpec = { kind: 'heartbeat', topic: '/hb', deadlineMs: 100 };
const target = { addresses: [], pids: async () => [] };
const alive: RosFinding = { state: 'alive', atMs: 0, message: 'it beats' };

test('a watch that cannot be had says why, and is had when it is asked again later', () => {
  const prober = rosProber('not yet');
  let failure: Error | undefined = new Error('out of resources');
  prober.attach(() => {
    if (failure !== undefined) throw failure;
    return {
      check: () => alive,
      gaps: () => undefined,
      whyUnheard: async () => undefined,
      close: () => undefined,
    };
  });
  const watch = prober.watch(spec, target, () => undefined);
  expect(watch.check()).toMatchObject({
    state: 'unknown',
    message: 'it cannot be watched: out of resources',
  });
  failure = undefined;
  expect(watch.check()).toEqual(alive);
});

test('the end closes every watch and tells nobody', () => {
  const prober = rosProber('not yet');
  let closed = 0;
  let told = 0;
  prober.attach(() => ({
    check: () => alive,
    gaps: () => undefined,
    whyUnheard: async () => undefined,
    close: () => closed++,
  }));
  const watch = prober.watch(spec, target, () => told++);
  prober.close();
  expect([closed, told]).toEqual([1, 0]);
  expect(watch.check()).toMatchObject({ state: 'unknown', message: 'the agent ends' });
  watch.close();
  expect(closed).toBe(1);
});
