import { describe, expect, it } from 'vitest';
import type { KillReason } from './actions.ts';
import { noteKill, type PodRecord } from './pod-record.ts';
import { testActual, testContainer, testPod, testSandbox } from './testing.ts';

const record = (restartPolicy: string): PodRecord => ({
  pod: testPod({ restartPolicy }),
  firstSeenMs: 0,
  ended: false,
  removing: false,
  runtime: 'process',
});
const actual = testActual([testSandbox()], [testContainer('a', 'running', { attempt: 1 })]);
const kill = (reason: KillReason) => ({
  do: 'killContainer' as const,
  containerId: 'a1',
  name: 'a',
  reason,
  message: '',
  graceMs: 0,
});

describe('a kill', () => {
  it.each<[KillReason, string, boolean]>([
    ['pod', 'Always', false],
    ['liveness', 'Always', true],
    ['startup', 'OnFailure', true],
    ['liveness', 'Never', false],
    ['changed', 'Never', true],
    ['deactivated', 'Never', true],
  ])('because of %s under %s is a replacement: %s', (reason, policy, replaced) => {
    const r = record(policy);
    expect(noteKill(r, actual, kill(reason))).toEqual({ again: false });
    expect(r.hooked).toEqual(['a1']);
    expect(r.replaced ?? []).toEqual(replaced ? ['a1'] : []);
  });

  it('is known when it is begun again, and instances that are gone are let go', () => {
    const r = { ...record('Always'), hooked: ['a0'], replaced: ['a0'] };
    expect(noteKill(r, actual, kill('liveness'))).toEqual({ again: false });
    expect(r).toMatchObject({ hooked: ['a1'], replaced: ['a1'] });
    expect(noteKill(r, actual, kill('pod'))).toEqual({ again: true });
    expect(r.hooked).toEqual(['a1']);
  });
});
