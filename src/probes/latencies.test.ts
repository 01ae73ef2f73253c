import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { latencies } from './latencies.ts';

describe('latencies', () => {
  test('of no attempt are zero', () => {
    expect(latencies().summary()).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });

  test('give percentiles that are at most 10 % too high', () => {
    const attemptMs = fc.double({ min: 0.1, max: 100_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(attemptMs, { minLength: 1, maxLength: 500 }), (samples) => {
        const times = latencies();
        for (const ms of samples) times.record(ms);
        const { count, p50Ms, p99Ms, maxMs } = times.summary();
        const sorted = samples.toSorted((a, b) => a - b);
        const exact = (share: number) => sorted[Math.ceil(samples.length * share) - 1]!;
        expect(count).toBe(samples.length);
        expect(maxMs).toBe(sorted.at(-1));
        for (const [found, share] of [
          [p50Ms, 0.5],
          [p99Ms, 0.99],
        ] as const) {
          expect(found).toBeGreaterThanOrEqual(exact(share) * 0.999);
          expect(found).toBeLessThanOrEqual(exact(share) * 1.1);
        }
      }),
    );
  });

  test('are counted up to bounds, of which they may miss those that are nearly as much', () => {
    const times = latencies();
    for (const ms of [0.05, 1, 3, 20, 40, 700, 10_000_000]) times.record(ms);
    expect(times.counts([5, 25, 1000])).toEqual({ atMost: [3, 4, 6], count: 7, sumMs: 10_000_764.05 });
    expect(latencies().counts([5])).toEqual({ atMost: [0], count: 0, sumMs: 0 });
  });

  test('take in what is faster or slower than any class', () => {
    const times = latencies();
    times.record(0);
    times.record(10_000_000);
    expect(times.summary()).toMatchObject({ count: 2, maxMs: 10_000_000 });
  });
});
