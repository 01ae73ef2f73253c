import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RosFinding, RosProbeSpec } from '../../ros/prober.ts';
import type { Probe } from '../api/core.gen.ts';
import { rosProbeWorker } from './ros-worker.ts';

const heartbeat: RosProbeSpec = { kind: 'heartbeat', topic: '/hb', deadlineMs: 100 };

/** A worker whose findings are said by the test, at virtual time. */
function setUp(
  spec: RosProbeSpec = heartbeat,
  probe: Partial<Probe> = {},
  {
    excuse,
    unheard,
    isAdopted = false,
  }: { excuse?: () => string | undefined; unheard?: () => string | undefined; isAdopted?: boolean } = {},
) {
  let finding: RosFinding = { state: 'missed', atMs: 0, message: 'never heard' };
  let tell = (): void => {};
  const told: string[] = [];
  let closed = 0;
  let broken: Error | undefined;
  const startedMs = Date.now();
  const at = (what: string) => told.push(`${Date.now() - startedMs} ${what}`);
  const worker = rosProbeWorker({
    spec,
    probe: { periodSeconds: 10, failureThreshold: 3, ...probe },
    initial: 'unknown',
    watch: (onChange) => {
      tell = onChange;
      const check = () => {
        if (broken !== undefined) throw broken;
        return finding;
      };
      const gaps = () => {
        if (broken !== undefined) throw broken;
        return undefined;
      };
      return { check, gaps, whyUnheard: async () => unheard?.(), close: () => closed++ };
    },
    findExcuse: async () => excuse?.(),
    isAdopted,
    onOutcome: ({ result }) => at(result),
    onExcused: (_, why) => at(`excused ${why}`),
    onError: (error) => at(`unknown ${(error as Error).message}`),
    onChange: (result) => at(`is ${result}`),
  });
  worker.start(0);
  const is = async (state: RosFinding['state'], over: Partial<RosFinding> = {}) => {
    finding = { state, atMs: performance.now(), message: state, ...over };
    tell();
    await pass(0);
  };
  const breaks = (error: Error | undefined) => {
    broken = error;
  };
  return { worker, told, is, breaks, closed: () => closed };
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

  test('fails at no moment at which it is being found out whose signs come, and at its pace after that', async () => {
    const { worker, told, is } = setUp();
    await is('alive');
    await is('unknown', { isPassing: true });
    await pass(1050);
    expect(worker.result).toBe('success');
    await is('alive');
    await is('unknown', { isPassing: true });
    await pass(1000);
    await is('missed');
    await pass(1000);
    expect(told.slice(2)).toEqual(['2050 failure', '2150 failure', '2250 failure', '2250 is failure']);
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

describe('an excused miss', () => {
  test('is not judged again by what happens meanwhile, but at its pace', async () => {
    const { worker, told, is } = setUp(heartbeat, {}, { excuse: () => 'busy' });
    await pass(0);
    await is('alive');
    for (let event = 0; event < 8; event++) {
      await is('missed');
      await pass(10);
    }
    expect(told.slice(2)).toEqual(['0 excused busy']);
    await pass(30);
    expect(told.slice(3)).toEqual(['100 excused busy']);
    worker.stop();
  });

  test('takes nothing from the excuses of the next one, when a sign of life came in between', async () => {
    const { worker, told, is } = setUp(heartbeat, {}, { excuse: () => 'busy' });
    await pass(0);
    for (let miss = 0; miss < 6; miss++) {
      await is('alive');
      await pass(1000);
      await is('missed');
      await pass(50);
    }
    expect(told.filter((line) => line.endsWith('excused busy'))).toHaveLength(6);
    expect(worker.result).toBe('success');
    worker.stop();
  });
});

test('what could not be seen for a while is given the time that finding it takes', async () => {
  const { worker, told, is } = setUp(heartbeat, { periodSeconds: 1, failureThreshold: 1 });
  await pass(0);
  await is('alive');
  await is('unknown');
  await pass(999);
  await is('missed');
  await pass(4900);
  expect(worker.result).toBe('success');
  await is('alive');
  expect(told.filter((line) => line.endsWith('failure'))).toEqual([]);
  worker.stop();
});

test('a container that ran before the agent is given the time that finding it takes', async () => {
  const { worker, told } = setUp(heartbeat, { periodSeconds: 1, failureThreshold: 1 }, { isAdopted: true });
  await pass(4999);
  expect(told).toEqual([]);
  await pass(1);
  expect(told).toEqual(['5000 failure', '5000 is failure']);
  worker.stop();
});

test('a watch that breaks is told and looked at again', async () => {
  const { worker, told, is, breaks } = setUp(heartbeat, { periodSeconds: 1 });
  await pass(0);
  await is('alive');
  breaks(new Error('no such watch'));
  await is('missed');
  await pass(1000);
  expect(told.slice(2)).toEqual(['0 unknown no such watch', '1000 unknown no such watch']);
  breaks(undefined);
  await pass(1000);
  expect(told.at(-1)).toBe('2000 failure');
  expect(worker.result).toBe('success');
  worker.stop();
});

test('who cannot be heard does not fail, until it can', async () => {
  let unheard: string | undefined = 'on another domain';
  const { worker, told, is } = setUp(heartbeat, { failureThreshold: 1 }, { unheard: () => unheard });
  await pass(30_000);
  const said = 'unknown never heard; on another domain';
  expect(told).toEqual([`10000 ${said}`, `20000 ${said}`, `30000 ${said}`]);
  expect(worker.result).toBe('unknown');
  unheard = undefined;
  await is('alive');
  unheard = 'on another domain';
  await is('missed');
  expect(told.slice(3)).toEqual(['30000 success', '30000 is success', '30000 failure', '30000 is failure']);
  worker.stop();
});

test('the end closes also a watch that breaks', async () => {
  const { worker, told, is, breaks, closed } = setUp();
  await pass(0);
  await is('alive');
  breaks(new Error('no such watch'));
  worker.stop();
  expect(closed()).toBe(1);
  expect(told.at(-1)).toBe('0 unknown no such watch');
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
