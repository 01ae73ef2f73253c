import { expect, it } from 'vitest';
import { Failures } from './failures.ts';

it('holds a failure back for as long as it says, else ever longer', () => {
  let nowMs = 1000;
  const failures = new Failures(() => nowMs);
  expect(failures.retryAtMs('a')).toBeUndefined();
  failures.add('a', { reason: 'ErrImagePull', message: 'm', retryInMs: 500 }, failures.news);
  expect(failures.retryAtMs('a')).toBe(1500);
  expect(failures.retryAtMs('b')).toBeUndefined();
  nowMs = 1500;
  expect(failures.retryAtMs('a')).toBeUndefined();
  const delays = [1, 2, 3, 4, 5, 6, 7, 8].map(() => {
    failures.add('b', { reason: 'r', message: 'm' }, failures.news);
    return failures.retryAtMs('b')! - nowMs;
  });
  for (const [index, delayMs] of delays.entries()) {
    const wantedMs = Math.min(500 * 2 ** index, 10_000);
    expect(delayMs).toBeGreaterThanOrEqual(wantedMs * 0.8);
    expect(delayMs).toBeLessThanOrEqual(wantedMs * 1.2);
  }
});

it('tells of what fails again, not of what failed once, and forgets what worked', () => {
  const failures = new Failures(() => 0);
  failures.add('a', { reason: 'A', message: 'first' }, failures.news);
  expect(failures.lasting()).toBeUndefined();
  failures.add('a', { reason: 'A', message: 'second' }, failures.news);
  expect(failures.lasting()).toEqual({ reason: 'A', message: 'second' });
  expect([...failures.waiting()]).toEqual([['a', { reason: 'A', message: 'second' }]]);
  failures.retryNow();
  expect(failures.retryAtMs('a')).toBeUndefined();
  expect(failures.lasting()).toBeDefined();
  failures.delete('a');
  expect(failures.lasting()).toBeUndefined();
});

it('tries what failed again at once when there were news during the try', () => {
  const failures = new Failures(() => 1000);
  const { news } = failures;
  failures.retryNow();
  failures.add('', { reason: 'r', message: 'configmap "c" not found' }, news);
  expect(failures.retryAtMs('')).toBeUndefined();
});

it('tries what it will be told of ever more rarely', () => {
  const failures = new Failures(() => 0);
  for (let count = 0; count < 12; count += 1)
    failures.add('', { reason: 'r', message: 'm', retryAtMostMs: 122_000 }, failures.news);
  expect(failures.retryAtMs('')).toBeGreaterThanOrEqual(122_000 * 0.8);
});
