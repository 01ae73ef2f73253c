import { expect, test } from 'vitest';
import { type Clocks, Interruptions } from './interruptions.ts';

function setUp() {
  const clocks: Clocks = { wallMs: 1_700_000_000_000, monotonicMs: 5000, bootMs: 9000 };
  const pass = (ms: number) => {
    clocks.wallMs += ms;
    clocks.monotonicMs += ms;
    clocks.bootMs += ms;
  };
  return { clocks, pass, interruptions: new Interruptions(() => ({ ...clocks })) };
}

test('time that just passes is no interruption, also with a little drift', () => {
  const { clocks, pass, interruptions } = setUp();
  for (let i = 0; i < 100; i++) {
    pass(60_000);
    clocks.wallMs += 50;
    expect(interruptions.recent()).toBeUndefined();
  }
});

test.each([
  [3_600_000, 'the clock was set forward by 3600 s'],
  [-3_600_000, 'the clock was set back by 3600 s'],
])('a clock that is set by %i ms is one, for a while', (stepMs, what) => {
  const { clocks, pass, interruptions } = setUp();
  pass(1000);
  clocks.wallMs += stepMs;
  expect(interruptions.recent()).toBe(what);
  pass(9000);
  expect(interruptions.recent()).toBe(what);
  pass(2000);
  expect(interruptions.recent()).toBeUndefined();
});

test('a suspended machine is one, and its wall clock is not blamed for having gone on', () => {
  const { clocks, pass, interruptions } = setUp();
  pass(1000);
  clocks.bootMs += 35_000;
  clocks.wallMs += 35_000;
  interruptions.observe();
  pass(5000);
  expect(interruptions.recent()).toBe('the machine was suspended for 35 s');
});

test('of the real machine none is seen while nothing happens', () => {
  expect(new Interruptions().recent()).toBeUndefined();
});
