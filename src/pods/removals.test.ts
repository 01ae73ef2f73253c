import { afterEach, describe, expect, it, vi } from 'vitest';
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
      queue.run(
        'cri',
        async () => {
          done.push('first begun');
          await first.promise;
          done.push('first');
        },
        never,
      ),
      queue.run('cri', async () => void done.push('second'), never),
    ];
    await expect.poll(() => done).toEqual(['first begun']);
    first.resolve();
    await Promise.all(running);
    expect(done).toEqual(['first begun', 'first', 'second']);
  });

  it('wait for what is under way, and begin when it has ended, however that was', async () => {
    const queue = removals();
    const work = Promise.withResolvers<void>();
    const working = queue.during(() => work.promise);
    let isRemoved = false;
    const removal = queue.run(
      'cri',
      async () => {
        isRemoved = true;
      },
      never,
    );
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
    const failing = queue.run('cri', () => held.promise, never);
    const waiting = queue.run('cri', async () => undefined, given.signal);
    const last = queue.run('cri', async () => undefined, never);
    given.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    held.reject(new Error('busy'));
    await expect(failing).rejects.toThrow('busy');
    await last;
  });

  it('of one runtime do not wait for those of another', async () => {
    const queue = removals();
    const hangs = Promise.withResolvers<void>();
    const hanging = queue.run('cri', () => hangs.promise, never);
    await queue.run('process', async () => undefined, never);
    hangs.resolve();
    await hanging;
  });

  describe('when one hangs', () => {
    afterEach(() => void vi.useRealTimers());

    it('let the next begin after a while, one by one', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const queue = removals();
      const hangs = [0, 1].map(() => Promise.withResolvers<void>());
      const begun: number[] = [];
      const hang = (i: number) => async () => {
        begun.push(i);
        await hangs[i]?.promise;
      };
      const hanging = [0, 1].map((i) => queue.run('cri', hang(i), never));
      const last = queue.run('cri', async () => void begun.push(2), never);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(begun).toEqual([0]);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(begun).toEqual([0, 1]);
      // That its turn was over before gives no second place away.
      hangs[0]?.resolve();
      await hanging[0];
      expect(begun).toEqual([0, 1]);
      hangs[1]?.resolve();
      await Promise.all([...hanging, last]);
      expect(begun).toEqual([0, 1, 2]);
    });
  });
});
