import { expect, it, vi } from 'vitest';
import { type Next, SyncLoop, type SyncLoopOptions } from './sync-loop.ts';

const idle: Next = { wakeInMs: Number.POSITIVE_INFINITY };

/** Answers one sync after the other with `answers`, then is idle. */
function loopOf(
  answers: (Next | ((signal: AbortSignal) => Promise<Next>))[],
  over: Partial<SyncLoopOptions> = {},
) {
  let count = 0;
  const onError = vi.fn();
  const lookAgain = vi.fn();
  const loop = new SyncLoop({
    sync: async (signal) => {
      const answer = answers[count++] ?? idle;
      return typeof answer === 'function' ? await answer(signal) : answer;
    },
    onError,
    lookAgain,
    resyncMs: 60_000,
    ...over,
  });
  const stop = new AbortController();
  const run = loop.run(stop.signal);
  return { loop, run, stop, onError, lookAgain, count: () => count };
}

const countIs = (l: { count(): number }, wanted: number) => expect.poll(() => l.count()).toBe(wanted);

it('syncs until nothing is left to do, then when there is news', async () => {
  const l = loopOf(['again', 'again', idle]);
  await countIs(l, 3);
  l.loop.wake();
  await countIs(l, 4);
  l.stop.abort();
  await l.run;
});

it('loses no news that come during a sync', async () => {
  const held = Promise.withResolvers<Next>();
  const l = loopOf([() => held.promise]);
  await countIs(l, 1);
  l.loop.wake();
  held.resolve(idle);
  await countIs(l, 2);
  l.stop.abort();
});

it('ends with the last sync', async () => {
  const l = loopOf(['again', 'removed']);
  await l.run;
  expect(l.count()).toBe(2);
});

it('looks again when its time has come, and now and then without a reason', async () => {
  const due = loopOf([{ wakeInMs: 1 }]);
  await countIs(due, 2);
  expect(due.lookAgain.mock.calls).toEqual([[false]]);
  due.stop.abort();
  const resync = loopOf([], { resyncMs: 20 });
  await expect.poll(() => resync.lookAgain).toHaveBeenCalledWith(true);
  resync.stop.abort();
});

it('tells of a sync that failed, and tries it again', async () => {
  const l = loopOf([() => Promise.reject(new Error('no')), idle]);
  await countIs(l, 2);
  expect(l.onError).toHaveBeenCalledTimes(1);
  l.stop.abort();
});

it('begins anew at once when it is interrupted, which is no failure', async () => {
  const l = loopOf([
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  ]);
  await countIs(l, 1);
  l.loop.interrupt();
  await countIs(l, 2);
  expect(l.onError).not.toHaveBeenCalled();
  expect(l.lookAgain).toHaveBeenCalled();
  l.stop.abort();
});

it('dies of an error in what it tells its errors: that is for its owner', async () => {
  const l = loopOf([() => Promise.reject(new Error('no'))], {
    onError: () => {
      throw new Error('defect');
    },
  });
  await expect(l.run).rejects.toThrow('defect');
});
