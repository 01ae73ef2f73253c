import { expect, it } from 'vitest';
import { ownCalls } from './own-calls.ts';

it('the end of a call of our own tells whether it has brought about what is heard of meanwhile', async () => {
  const calls = ownCalls();
  expect(await calls.hasBrought('a')).toBe(false);
  const stop = Promise.withResolvers<string>();
  const made = calls.make('a', () => stop.promise);
  const heard = calls.hasBrought('a');
  expect(await calls.hasBrought('b')).toBe(false);
  stop.resolve('stopped');
  expect(await heard).toBe(true);
  expect(await made).toBe('stopped');
  // From then on the runtime has to be asked.
  expect(await calls.hasBrought('a')).toBe(false);
});

it('a call of our own that fails has brought about nothing, and fails for its caller alone', async () => {
  const calls = ownCalls();
  const stop = Promise.withResolvers<void>();
  const made = calls.make('a', () => stop.promise);
  const heard = calls.hasBrought('a');
  stop.reject(new Error('no runtime'));
  await expect(made).rejects.toThrow('no runtime');
  expect(await heard).toBe(false);
});
