import { expect, it } from 'vitest';
import { intentOf, nextPlan } from './next-plan.ts';
import type { PodRecord } from './pod-record.ts';
import { testActual, testContainer, testNowMs, testPod, testProbes, testSandbox } from './testing.ts';

const record = (over: Partial<PodRecord> = {}): PodRecord => ({
  pod: testPod(),
  firstSeenMs: testNowMs,
  ended: false,
  removing: false,
  runtime: 'process',
  ...over,
});
const stop = { graceMs: 5000, deadlineMs: testNowMs };

it.each([
  { name: 'runs', over: {}, unmet: [], intent: { kind: 'run' } },
  {
    name: 'waits for others',
    over: {},
    unmet: ['pod/b active'],
    intent: { kind: 'run', gate: { unmet: ['pod/b active'] } },
  },
  { name: 'is prepared', over: { goal: 'inactive' as const }, unmet: ['x'], intent: { kind: 'prepare' } },
  { name: 'is cleared', over: { goal: 'unconfigured' as const }, unmet: ['x'], intent: { kind: 'clear' } },
  {
    name: 'goes, whatever its goal',
    over: { goal: 'inactive' as const, stop },
    unmet: [],
    intent: { kind: 'stop', graceMs: 1234 },
  },
])('a pod $name', ({ over, unmet, intent }) => {
  expect(intentOf(record(over), 1234, () => unmet)).toMatchObject(intent);
});

const actions = (r: PodRecord, hash: string) =>
  nextPlan(r, {
    intent: { kind: 'run' },
    actual: testActual([testSandbox()], [testContainer('a', 'running', { hash })]),
    probes: testProbes(),
    backoff: { initialMs: 1, maxMs: 1 },
    containerHash: () => 'h',
    pulled: new Set(['a']),
    nowMs: testNowMs,
  }).actions.map(({ do: what }) => what);

it('starts a container anew after each change in place, by its hash', () => {
  expect(actions(record(), 'h')).toEqual([]);
  expect(actions(record({ revisions: { a: 1 } }), 'h')).toEqual(['killContainer']);
  expect(actions(record({ revisions: { a: 1 } }), 'h-1')).toEqual([]);
  expect(actions(record({ revisions: { other: 1 } }), 'h')).toEqual([]);
});
