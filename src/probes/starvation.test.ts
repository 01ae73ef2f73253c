import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { findStarvation, starvation, type Threads } from './starvation.ts';

const threads = (...list: [isRunnable: boolean, ranMs: number, waitedMs: number][]): Threads =>
  new Map(list.map(([isRunnable, ranMs, waitedMs], i) => [String(i), { isRunnable, ranMs, waitedMs }]));

describe('threads that did not run', () => {
  test.each<[string, Threads, Threads, RegExp | undefined]>([
    ['sleep', threads([false, 5, 0]), threads([false, 5, 0]), undefined],
    ['woke up just now', threads([false, 5, 0]), threads([true, 5, 0]), undefined],
    ['are gone', threads([true, 5, 0]), threads(), undefined],
    ['stand in the queue', threads([true, 5, 0]), threads([true, 7, 38]), /too little CPU: 1 of its threads/],
    ['are out of quota', threads([true, 5, 0]), threads([true, 6, 1]), /CPU limit holds it back/],
    ['loop', threads([true, 5, 0]), threads([true, 44, 1]), undefined],
    [
      'loop beside one that waits',
      threads([true, 5, 0], [true, 0, 0]),
      threads([true, 44, 1], [true, 0, 39]),
      undefined,
    ],
  ])('%s', (_name, before, after, expected) => {
    const found = starvation(before, after, 40);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });
});

test('a process that sleeps, and one that is gone, have no excuse', async () => {
  const child = spawn('sleep', ['1000']);
  await once(child, 'spawn');
  await expect.poll(() => findStarvation([child.pid!], AbortSignal.timeout(10_000))).toBeUndefined();
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await findStarvation([child.pid!], AbortSignal.timeout(10_000))).toBeUndefined();
});
