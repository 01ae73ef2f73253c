import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
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
    expect(noteKill(r, actual, kill(reason)).again).toBe(false);
    expect(r.hooked).toEqual(['a1']);
    expect(r.replaced ?? []).toEqual(replaced ? ['a1'] : []);
  });

  it('is known when it is begun again, and instances that are gone are let go', () => {
    const r = { ...record('Always'), hooked: ['a0'], replaced: ['a0'] };
    expect(noteKill(r, actual, kill('liveness')).again).toBe(false);
    expect(r).toMatchObject({ hooked: ['a1'], replaced: ['a1'] });
    expect(noteKill(r, actual, kill('pod'))).toEqual({ again: true, isVital: false });
    expect(r.hooked).toEqual(['a1']);
  });

  const hook = { preStop: { exec: { command: ['true'] } } };
  const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [3] } }];
  it.each<[string, boolean, KillReason, Partial<Pod['spec']> & object]>([
    ['of a pod that goes', false, 'pod', {}],
    ['of one with a hook', true, 'pod', { containers: [{ name: 'a', image: 'i', lifecycle: hook }] }],
    ['of what starts again however it ends', false, 'liveness', {}],
    ['of what would start again only after a failure', true, 'liveness', { restartPolicy: 'OnFailure' }],
    ['of what would not start again', true, 'changed', { restartPolicy: 'Never' }],
    [
      'of an init container',
      true,
      'changed',
      { containers: [], initContainers: [{ name: 'a', image: 'i' }] },
    ],
    [
      'of what has rules of its own',
      true,
      'liveness',
      { containers: [{ name: 'a', image: 'i', restartPolicyRules: rules }] },
    ],
  ])('%s must be on disk before it is begun: %s', (_, isVital, reason, spec) => {
    const r = { ...record('Always'), pod: testPod({ restartPolicy: 'Always', ...spec }) };
    expect(noteKill(r, actual, kill(reason))).toEqual({ again: false, isVital });
  });
});
