import { expect, it, vi } from 'vitest';
import { silentLogger } from '../log.ts';
import { type Kill, Kills } from './kills.ts';

const kill = (containerId: string, graceMs: number): Kill => ({
  do: 'killContainer',
  containerId,
  name: containerId,
  reason: 'pod',
  message: '',
  graceMs,
});

function testKills(run: (kill: Kill, signal: AbortSignal) => Promise<void>) {
  const onEnd = vi.fn();
  const kills = new Kills({ run, onEnd, monotonicMs: () => 0, log: silentLogger() });
  return { kills, onEnd };
}

it('kills several at once, and none twice', async () => {
  const held = Promise.withResolvers<void>();
  const run = vi.fn(async ({ containerId }: Kill) => {
    if (containerId === 'slow') await held.promise;
  });
  const { kills, onEnd } = testKills(run);
  kills.begin(kill('slow', 1000));
  kills.begin(kill('quick', 1000));
  kills.begin(kill('slow', 1000));
  await expect.poll(() => onEnd).toHaveBeenCalledTimes(1);
  expect(run.mock.calls.map(([{ containerId }]) => containerId)).toEqual(['slow', 'quick']);
  held.resolve();
  await expect.poll(() => onEnd).toHaveBeenCalledTimes(2);
  kills.begin(kill('slow', 1000));
  expect(run).toHaveBeenCalledTimes(3);
});

it('begins a kill anew for an end that is clearly sooner, and lets the other one go', async () => {
  const signals: AbortSignal[] = [];
  const { kills, onEnd } = testKills(async (_kill, signal) => {
    signals.push(signal);
    if (signals.length === 1) await new Promise((_, reject) => signal.addEventListener('abort', reject));
  });
  kills.begin(kill('a', 10_000));
  kills.begin(kill('a', 9950));
  expect(signals).toHaveLength(1);
  kills.begin(kill('a', 0));
  await expect.poll(() => onEnd).toHaveBeenCalledTimes(1);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

it('lets a kill that failed be begun anew a moment later', async () => {
  const run = vi.fn(() => Promise.reject(new Error('runtime gone')));
  const { kills, onEnd } = testKills(run);
  kills.begin(kill('a', 0));
  kills.begin(kill('a', 0));
  expect(run).toHaveBeenCalledTimes(1);
  await expect.poll(() => onEnd).toHaveBeenCalled();
  kills.begin(kill('a', 0));
  expect(run).toHaveBeenCalledTimes(2);
});

it('leaves the containers to others when it is aborted', async () => {
  let signal: AbortSignal | undefined;
  const { kills, onEnd } = testKills(async (_kill, s) => {
    signal = s;
    await new Promise((_, reject) => s.addEventListener('abort', reject));
  });
  kills.begin(kill('a', 1000));
  kills.abort();
  expect(signal?.aborted).toBe(true);
  expect(onEnd).not.toHaveBeenCalled();
});
