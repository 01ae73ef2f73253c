import { expect, it } from 'vitest';
import { comeBack } from './come-back.ts';

it('an evicted pod waits longer each time, at most five minutes, until it ran for long', () => {
  let nowMs = 1_000_000;
  const pod = comeBack(() => nowMs);
  const pauses = [];
  for (const ranMs of [0, 1000, 1000, 1000, 1000, 1000, 1000, 600_000]) {
    nowMs += ranMs;
    const untilMs = pod.downUntilMs();
    pauses.push((untilMs - nowMs) / 1000);
    nowMs += 500;
    expect(pod.downUntilMs()).toBe(untilMs);
    nowMs = untilMs;
    pod.cameBack();
  }
  expect(pauses).toEqual([10, 20, 40, 80, 160, 300, 300, 10]);
});
