import { describe, expect, it, vi } from 'vitest';
import { Removals, removalWaitMs } from './removals.ts';

describe('how long a removal waits', () => {
  it.each([
    ['not at all when nothing else goes on', { nowMs: 5000, askedMs: 5000, busyUntilMs: -Infinity }, 0],
    ['until the others are done', { nowMs: 5000, askedMs: 5000, busyUntilMs: 5200 }, 200],
    ['not for ever', { nowMs: 14_900, askedMs: 5000, busyUntilMs: 15_200 }, 100],
    ['no longer when its time is over', { nowMs: 20_000, askedMs: 5000, busyUntilMs: 20_300 }, 0],
  ])('%s', (_, at, waitMs) => expect(removalWaitMs(at)).toBe(waitMs));
});

describe('removals', () => {
  const never = new AbortController().signal;
  const removals = () => new Removals(() => performance.now());

  it('go one after the other', async () => {
    const queue = removals();
    const done: string[] = [];
    const first = Promise.withResolvers<void>();
    const running = [
      queue.run(async () => {
        done.push('first begun');
        await first.promise;
        done.push('first');
      }, never),
      queue.run(async () => void done.push('second'), never),
    ];
    await vi.waitFor(() => expect(done).toEqual(['first begun']));
    first.resolve();
    await Promise.all(running);
    expect(done).toEqual(['first begun', 'first', 'second']);
  });

  it('wait for what is under way, and begin when it has ended, however that was', async () => {
    const queue = removals();
    const work = Promise.withResolvers<void>();
    const working = queue.during(() => work.promise);
    let isRemoved = false;
    const removal = queue.run(async () => {
      isRemoved = true;
    }, never);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isRemoved).toBe(false);
    work.reject(new Error('no'));
    await expect(working).rejects.toThrow('no');
    await removal;
    expect(isRemoved).toBe(true);
  });

  it('leave their place to the next when they are given up, or fail', async () => {
    const queue = removals();
    const given = new AbortController();
    const held = Promise.withResolvers<void>();
    const failing = queue.run(() => held.promise, never);
    const waiting = queue.run(async () => undefined, given.signal);
    const last = queue.run(async () => undefined, never);
    given.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    held.reject(new Error('busy'));
    await expect(failing).rejects.toThrow('busy');
    await last;
  });
});
