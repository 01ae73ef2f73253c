import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('durations', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['300ms', 300],
    ['1.5h', 5_400_000],
    ['1m30s', 90_000],
    ['2h45m.5s', 9_900_500],
    ['-10s', -10_000],
    ['+1s', 1000],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['5ns', 0.000005],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each(['', '1', 's', '1 s', '1d', '1s2', '.s', '1..5s', '1e3s', '--1s', '1S'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test.each([
    [0, '0s'],
    [90_000, '1m30s'],
    [300_000, '5m0s'],
    [14_400_000, '4h0m0s'],
    [100, '100ms'],
    [1500, '1.5s'],
    [0.5, '500µs'],
    [-1000, '-1s'],
  ])('%d ms are written %s, as Go writes them', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('mean the same after they were written and read', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 33), max: 2 ** 33 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 6);
      }),
    );
  });
});
