import { expect, it } from 'vitest';
import { ClockSteps } from './clock-steps.ts';

it.each([
  { name: 'time that passes is no step', wallMs: 60_000, monotonicMs: 60_000, stepMs: 0 },
  { name: 'drift is none', wallMs: 64_000, monotonicMs: 60_000, stepMs: 0 },
  { name: 'a clock that was set forward', wallMs: 3_660_000, monotonicMs: 60_000, stepMs: 3_600_000 },
  { name: 'a clock that was set back', wallMs: -3_540_000, monotonicMs: 60_000, stepMs: -3_600_000 },
])('$name', ({ wallMs, monotonicMs, stepMs }) => {
  const now = { wallMs: 1_000_000, monotonicMs: 5 };
  const steps = new ClockSteps(
    () => now.wallMs,
    () => now.monotonicMs,
  );
  now.wallMs += wallMs;
  now.monotonicMs += monotonicMs;
  expect(steps.take()).toBe(stepMs);
  expect(steps.take()).toBe(0);
});
