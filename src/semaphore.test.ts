import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { semaphore } from './semaphore.ts';

const never = new AbortController().signal;

it('lets so many in, then the lowest rank, then who came first', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: -2, max: 2 })),
      async (size, ranks) => {
        const place = semaphore(size);
        const held: (() => void)[] = [];
        const entered: number[] = [];
        const all = ranks.map(async (rank, i) => {
          held.push(await place(never, rank));
          entered.push(i);
        });
        await setImmediate();
        expect(held.length).toBe(Math.min(size, ranks.length));
        for (let given = 0; given < ranks.length; given++) {
          held.shift()?.();
          await setImmediate();
          expect(entered.length).toBe(Math.min(size + given + 1, ranks.length));
        }
        await Promise.all(all);
        const waited = entered.slice(size);
        expect(waited).toEqual([...waited].sort((a, b) => ranks[a]! - ranks[b]! || a - b));
      },
    ),
  );
});

it('is given back once, however often that is said', async () => {
  const place = semaphore(1);
  const giveBack = await place(never);
  const second = place(never);
  giveBack();
  giveBack();
  await second;
  let isThird = false;
  void place(never).then(() => {
    isThird = true;
  });
  await setImmediate();
  expect(isThird).toBe(false);
});

it('forgets who has given up waiting', async () => {
  const place = semaphore(1);
  const giveBack = await place(never);
  const giving = new AbortController();
  const first = place(giving.signal);
  const second = place(never);
  giving.abort(new Error('not any more'));
  await expect(first).rejects.toThrow('not any more');
  giveBack();
  await second;
  await expect(place(AbortSignal.abort(new Error('never wanted')))).rejects.toThrow('never wanted');
});
