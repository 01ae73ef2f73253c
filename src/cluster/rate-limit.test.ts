import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rateLimit, type Turn } from './rate-limit.ts';

const signal = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** When each of `count` requests may go, from now on. */
async function turnsOf(turn: Turn, count: number): Promise<number[]> {
  const beginMs = performance.now();
  const turns = Array.from({ length: count }, async () => {
    await turn(signal);
    return Math.round(performance.now() - beginMs);
  });
  await vi.advanceTimersByTimeAsync(10_000);
  return Promise.all(turns);
}

it('lets a burst go at once and the rest one after the other; a pause fills the burst again', async () => {
  const turn = rateLimit(10, 3);
  expect(await turnsOf(turn, 5)).toEqual([0, 0, 0, 100, 200]);
  expect(await turnsOf(turn, 4)).toEqual([0, 0, 0, 100]);
});

it('gives the turns of requests that were given up to those that wait behind them', async () => {
  const turn = rateLimit(10, 3);
  const givenUp = new AbortController();
  const backlog = Array.from({ length: 100 }, () => turn(givenUp.signal));
  const ended = Promise.allSettled(backlog);
  const last = turnsOf(turn, 1);
  givenUp.abort(new Error('too late'));
  expect(await last).toEqual([100]);
  const rejected = (await ended).filter(({ status }) => status === 'rejected');
  expect(rejected).toHaveLength(97);
  expect(rejected[0]).toMatchObject({ reason: new Error('too late') });
});

it('keeps no timer for those that were given up', async () => {
  const turn = rateLimit(10, 1);
  const givenUp = new AbortController();
  const ended = Promise.allSettled([turn(givenUp.signal), turn(givenUp.signal)]);
  givenUp.abort();
  await ended;
  expect(vi.getTimerCount()).toBe(0);
});
