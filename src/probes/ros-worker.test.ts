import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RosFinding, RosProbeSpec } from '../../ros/prober.ts';
import type { Probe } from '../api/core.gen.ts';
import { rosProbeWorker } from './ros-worker.ts';

const heartbeat: RosProbeSpec = { kind: 'heartbeat', topic: '/hb', deadlineMs: 100 };

/** A worker whose findings are said by the test, at virtual time. */
function setUp(
  spec: RosProbeSpec = heartbeat,
  probe: Partial<Probe> = {},
  { excuse }: { excuse?: () => string | undefined } = {},
) {
  let finding: RosFinding = { state: 'missed', atMs: 0, message: 'never heard' };
  let tell = (): void => {};
  const told: string[] = [];
  let closed = 0;
  const startedMs = Date.now();
  const at = (what: string) => told.push(`${Date.now() - startedMs} ${what}`);
  const worker = rosProbeWorker({
    spec,
    probe: { periodSeconds: 10, failureThreshold: 3, ...probe },
    initial: 'unknown',
    watch: (onChange) => {
      tell = onChange;
      return { check: () => finding, gaps: () => undefined, close: () => closed++ };
    },
    findExcuse: async () => excuse?.(),
    onOutcome: ({ result }) => at(result),
    onExcused: (_, why) => at(`excused ${why}`),
    onError: (error) => at(`unknown ${(error as Error).message}`),
    onChange: (result) => at(`is ${result}`),
  });
  worker.start(0);
  const is = async (state: RosFinding['state']) => {
    finding = { state, atMs: performance.now(), message: state };
    tell();
    await pass(0);
  };
  return { worker, told, is, closed: () => closed };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a heartbeat', () => {
  test('that never came is given periods, not deadlines', async () => {
    const { worker, told } = setUp();
    await pass(29_999);
    expect(worker.result).toBe('unknown');
    await pass(1);
    expect(told).toEqual(['10000 failure', '20000 failure', '30000 failure', '30000 is failure']);
    worker.stop();
  });

  test('that stops fails at once, and once more for each deadline that passes', async () => {
    const { worker, told, is } = setUp();
    await pass(3000);
    await is('alive');
    await pass(50_000);
    await is('missed');
    await pass(1000);
    expect(told).toEqual([
      '3000 success',
      '3000 is success',
      '53000 failure',
      '53100 failure',
      '53200 failure',
      '53200 is failure',
    ]);
    worker.stop();
  });

  test('that comes again in between begins anew', async () => {
    const { worker, told, is } = setUp();
    await pass(0);
    await is('alive');
    for (let miss = 0; miss < 5; miss++) {
      await is('missed');
      await pass(150);
      await is('alive');
      await pass(1000);
    }
    expect(worker.result).toBe('success');
    expect(told.filter((line) => line.endsWith('failure'))).toHaveLength(10);
    worker.stop();
  });

  test('is made good again for readiness, after as many signs as are asked for', async () => {
    const { worker, told, is } = setUp(heartbeat, {
      periodSeconds: 1,
      failureThreshold: 1,
      successThreshold: 3,
    });
    await pass(0);
    await is('alive');
    await pass(2000);
    expect(told.at(-1)).toBe('2000 is success');
    await is('missed');
    expect(told.at(-1)).toBe('2000 is failure');
    await is('alive');
    await pass(2000);
    expect(told.at(-1)).toBe('4000 is success');
    worker.stop();
  });
});

test('what is a state and no deadline fails at once and then once a period', async () => {
  const { worker, told, is } = setUp({ kind: 'node', node: '/camera' }, { periodSeconds: 2 });
  await pass(500);
  await is('alive');
  await is('missed');
  await pass(10_000);
  expect(told.slice(2)).toEqual(['500 failure', '2500 failure', '4500 failure', '4500 is failure']);
  worker.stop();
});

test('what nobody can tell changes nothing and is told once a period', async () => {
  const { worker, told, is } = setUp(heartbeat, { periodSeconds: 1 });
  await pass(0);
  await is('alive');
  await is('unknown');
  await pass(2500);
  expect(worker.result).toBe('success');
  expect(told.slice(2)).toEqual(['0 unknown unknown', '1000 unknown unknown', '2000 unknown unknown']);
  await is('alive');
  worker.stop();
});

describe('a failure with an excuse', () => {
  test('is not counted, but only as often as failures are borne', async () => {
    const { worker, told, is } = setUp(heartbeat, {}, { excuse: () => 'busy' });
    await pass(0);
    await is('alive');
    await is('missed');
    await pass(10_000);
    expect(told.slice(2)).toEqual([
      '0 excused busy',
      '100 excused busy',
      '200 excused busy',
      '300 failure',
      '400 failure',
      '500 failure',
      '500 is failure',
    ]);
    expect(worker.attempts()).toEqual({ successful: 1, failed: 3, unknown: 3 });
    worker.stop();
  });
});

test('the end closes the watch and leaves no timer', async () => {
  const { worker, is, closed } = setUp();
  await pass(0);
  await is('alive');
  await is('missed');
  worker.stop();
  await pass(10_000);
  expect(closed()).toBe(1);
  expect(worker.result).toBe('success');
});
