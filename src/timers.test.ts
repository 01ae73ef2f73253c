import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { afterMs, longestTimerMs } from './timers.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it.each([1, 1000, longestTimerMs, longestTimerMs + 5, 3 * longestTimerMs])(
  'calls back after %i ms, and not before',
  (ms) => {
    const act = vi.fn();
    afterMs(ms, act);
    vi.advanceTimersByTime(ms - 1);
    expect(act).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(act).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(4 * longestTimerMs);
    expect(act).toHaveBeenCalledOnce();
  },
);

it('never calls back when it was ended, also late', () => {
  const act = vi.fn();
  const end = afterMs(2 * longestTimerMs, act);
  vi.advanceTimersByTime(longestTimerMs + 1);
  end();
  vi.advanceTimersByTime(2 * longestTimerMs);
  expect(act).not.toHaveBeenCalled();
});
