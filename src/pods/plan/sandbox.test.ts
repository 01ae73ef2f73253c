import { describe, expect, it } from 'vitest';
import { testActual, testNowMs, testPod, testSandbox } from '../testing.ts';
import { dead, exited, init, type PlanCase, planned, ready, running, two, wanted } from './testing.ts';

describe('the sandbox', () => {
  const cases: PlanCase[] = [
    { name: 'makes a sandbox for a new pod', actual: testActual([]), actions: ['sandbox 0'] },
    { name: 'replaces a sandbox that died', actual: testActual([dead]), actions: ['sandbox 1 for sb0'] },
    {
      name: 'waits before yet another sandbox when they die as soon as they are made',
      actual: testActual([
        testSandbox({
          state: 'SANDBOX_NOTREADY',
          metadata: { name: 'p', namespace: 'default', uid: 'uid-1', attempt: 3 },
          createdAtMs: testNowMs - 1000,
        }),
      ]),
      actions: [],
    },
    {
      name: 'kills what outlived its sandbox before making another',
      actual: testActual([dead], [running('a')]),
      actions: ['kill a0 pod'],
    },
    {
      name: 'makes another sandbox when its containers went with it',
      actual: testActual([dead], [exited('a', 137)]),
      actions: ['sandbox 1 for sb0'],
    },
    {
      name: 'ends a Never pod whose sandbox and containers are gone',
      pod: testPod({ restartPolicy: 'Never' }),
      actual: testActual([dead], [exited('a', 137)]),
      actions: [],
      end: {},
    },
    {
      name: 'ends an OnFailure pod whose containers all succeeded before the sandbox died',
      pod: testPod({ restartPolicy: 'OnFailure' }),
      actual: testActual([dead], [exited('a', 0)]),
      actions: [],
      end: {},
    },
    {
      name: 'starts only what has not succeeded after the sandbox was replaced',
      pod: testPod({ restartPolicy: 'OnFailure', containers: two }),
      actual: testActual([testSandbox({ id: 'sb1' }), dead], [exited('a', 0), exited('b', 1)]),
      actions: ['start b app #1 in sb1'],
    },
    {
      name: 'ends a Never pod whose init container failed before the sandbox died',
      pod: testPod({ restartPolicy: 'Never', initContainers: [init('i')] }),
      actual: testActual([dead], [exited('i', 1)]),
      actions: [],
      end: {},
    },
    {
      name: 'stops a second ready sandbox',
      actual: testActual([testSandbox({ id: 'sb1' }), ready], [running('a', { podSandboxId: 'sb1' })]),
      actions: ['stop sandbox sb0'],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});
