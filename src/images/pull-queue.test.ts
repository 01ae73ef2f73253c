import { describe, expect, it } from 'vitest';
import { createPullQueue, type PullLimits } from './pull-queue.ts';

const unlimited: PullLimits = { maxParallel: undefined, perSecond: 0, burst: 0 };
const never = new AbortController().signal;

/** A pull that ends when told to, and notes what happens to it. */
function slowPull(imageRef = 'ref') {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const seen = { started: 0, aborted: false };
  const pull = (signal: AbortSignal) => {
    seen.started += 1;
    signal.addEventListener('abort', () => {
      seen.aborted = true;
      reject(signal.reason);
    });
    return promise;
  };
  return { pull, seen, finish: () => resolve(imageRef), fail: reject };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('createPullQueue', () => {
  it('pulls once for all who want the same', async () => {
    const queue = createPullQueue(unlimited);
    const { pull, seen, finish } = slowPull();
    const both = [queue.run('a', pull, never), queue.run('a', pull, never)];
    await settle();
    finish();
    expect((await Promise.all(both)).map(({ imageRef }) => imageRef)).toEqual(['ref', 'ref']);
    expect(seen.started).toBe(1);
  });

  it('pulls anew once the last pull is over', async () => {
    const queue = createPullQueue(unlimited);
    const { pull, seen, finish } = slowPull();
    finish();
    await queue.run('a', pull, never);
    await queue.run('a', pull, never);
    expect(seen.started).toBe(2);
  });

  it('fails for all who wait, and tries again afterwards', async () => {
    const queue = createPullQueue(unlimited);
    const first = slowPull();
    const both = [queue.run('a', first.pull, never), queue.run('a', first.pull, never)];
    first.fail(new Error('no route'));
    for (const result of both) await expect(result).rejects.toThrow('no route');
    const second = slowPull('second');
    second.finish();
    expect((await queue.run('a', second.pull, never)).imageRef).toBe('second');
  });

  it('goes on while anyone waits and stops when nobody does', async () => {
    const queue = createPullQueue(unlimited);
    const { pull, seen } = slowPull();
    const [one, two] = [new AbortController(), new AbortController()];
    const results = [queue.run('a', pull, one.signal), queue.run('a', pull, two.signal)];
    await settle();
    one.abort(new Error('pod is gone'));
    await expect(results[0]).rejects.toThrow('pod is gone');
    expect(seen.aborted).toBe(false);
    two.abort(new Error('pod is gone, too'));
    await expect(results[1]).rejects.toThrow('pod is gone, too');
    expect(seen.aborted).toBe(true);
  });

  it('pulls no more at a time than allowed, in the order of asking', async () => {
    const queue = createPullQueue({ ...unlimited, maxParallel: 1 });
    const pulls = [slowPull('1'), slowPull('2'), slowPull('3')];
    const results = pulls.map(({ pull }, index) => queue.run(`${index}`, pull, never));
    const started = () => pulls.map(({ seen }) => seen.started);
    await settle();
    expect(started()).toEqual([1, 0, 0]);
    pulls[0]?.finish();
    await results[0];
    await settle();
    expect(started()).toEqual([1, 1, 0]);
    pulls[1]?.fail(new Error('gone'));
    await expect(results[1]).rejects.toThrow('gone');
    await settle();
    expect(started()).toEqual([1, 1, 1]);
    pulls[2]?.finish();
    expect((await results[2])?.imageRef).toBe('3');
  });

  it('gives up its place in the queue when it is aborted', async () => {
    const queue = createPullQueue({ ...unlimited, maxParallel: 1 });
    const [first, second, third] = [slowPull(), slowPull(), slowPull('third')];
    const controller = new AbortController();
    const running = queue.run('1', first.pull, never);
    const waiting = queue.run('2', second.pull, controller.signal);
    const last = queue.run('3', third.pull, never);
    controller.abort(new Error('pod is gone'));
    await expect(waiting).rejects.toThrow('pod is gone');
    third.finish();
    first.finish();
    await running;
    expect((await last).imageRef).toBe('third');
    expect(second.seen.started).toBe(0);
  });

  it('lets a burst through and then keeps the rate', async () => {
    const queue = createPullQueue({ maxParallel: undefined, perSecond: 0.001, burst: 2 });
    const pulls = [slowPull(), slowPull(), slowPull()];
    const controller = new AbortController();
    const results = pulls.map(({ pull }, index) => queue.run(`${index}`, pull, controller.signal));
    await settle();
    expect(pulls.map(({ seen }) => seen.started)).toEqual([1, 1, 0]);
    controller.abort();
    expect((await Promise.allSettled(results)).map(({ status }) => status)).toEqual(
      Array(3).fill('rejected'),
    );
  });
});
