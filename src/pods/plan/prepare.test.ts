import { describe, expect, it } from 'vitest';
import { testActual, testNowMs, testPod, testSandbox } from '../testing.ts';
import {
  dead,
  exited,
  gated,
  inactive,
  init,
  type PlanCase,
  planned,
  ready,
  running,
  sidecar,
  two,
  wanted,
} from './testing.ts';

describe('start order', () => {
  const cases: PlanCase[] = [
    {
      name: 'prepares a pod that waits for others, without its containers',
      intent: gated,
      actual: testActual([]),
      actions: ['sandbox 0'],
    },
    {
      name: 'pulls images while it waits',
      pod: testPod({ containers: two, initContainers: [init('i')] }),
      intent: gated,
      pulled: ['a'],
      actual: testActual([ready]),
      actions: ['pull i', 'pull b'],
      waiting: ['a StartConditionUnmet'],
    },
    {
      name: 'then only waits',
      intent: gated,
      pulled: ['a'],
      actual: testActual([ready]),
      actions: [],
      waiting: ['a StartConditionUnmet'],
      prepared: true,
    },
    {
      name: 'asks for no order once a container of the sandbox has had its turn',
      intent: gated,
      actual: testActual([ready], [exited('a', 1)]),
      actions: ['start a app #1 in sb0'],
      prepared: true,
    },
    {
      name: 'waits again in a new sandbox, and does not forget what ended in the old one',
      pod: testPod({ restartPolicy: 'OnFailure', containers: two }),
      intent: gated,
      pulled: ['a', 'b'],
      actual: testActual([testSandbox({ id: 'sb1' }), dead], [exited('a', 0), exited('b', 1)]),
      actions: [],
      waiting: ['a StartConditionUnmet', 'b StartConditionUnmet'],
      prepared: true,
    },
    {
      name: 'a pod that waits for others is over its deadline all the same',
      pod: testPod({ activeDeadlineSeconds: 10 }),
      intent: gated,
      startedAtMs: testNowMs - 10_000,
      actual: testActual([ready]),
      actions: [],
      end: {
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      },
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});

describe('a pod that is to be inactive', () => {
  const cases: PlanCase[] = [
    { name: 'configures: makes a sandbox', intent: inactive, actual: testActual([]), actions: ['sandbox 0'] },
    {
      name: 'configures: pulls the images',
      intent: inactive,
      actual: testActual([ready]),
      actions: ['pull a'],
    },
    {
      name: 'is inactive with a sandbox and images',
      intent: inactive,
      pulled: ['a'],
      actual: testActual([ready]),
      actions: [],
      waiting: ['a Inactive'],
      prepared: true,
    },
    {
      name: 'deactivates: everything but sidecars goes first',
      pod: testPod({ containers: two, initContainers: [sidecar] }),
      intent: inactive,
      actual: testActual([ready], [running('a'), running('b'), running('s')]),
      actions: ['kill a0 deactivated', 'kill b0 deactivated'],
    },
    {
      name: 'deactivates: then the sidecars',
      pod: testPod({ containers: two, initContainers: [sidecar] }),
      intent: inactive,
      actual: testActual([ready], [exited('a', 0), exited('b', 0), running('s')]),
      actions: ['kill s0 deactivated'],
    },
    {
      name: 'forgets ended containers, so that the next activation begins with the init containers',
      pod: testPod({ initContainers: [init('i')] }),
      intent: inactive,
      pulled: ['a', 'i'],
      actual: testActual([ready], [exited('i', 0), exited('a', 143)]),
      actions: ['remove i0', 'remove a0'],
    },
    {
      name: 'goes on counting restarts when it is activated again',
      restartCounts: { a: 3 },
      actual: testActual([ready]),
      actions: ['start a app #3 in sb0'],
      prepared: true,
    },
    {
      name: 'makes a lost sandbox of an inactive pod anew',
      intent: inactive,
      actual: testActual([dead]),
      actions: ['sandbox 1 for sb0'],
    },
    {
      name: 'a Never pod that is inactive does not end',
      pod: testPod({ restartPolicy: 'Never' }),
      intent: inactive,
      actual: testActual([dead], [exited('a', 0)]),
      actions: ['remove a0'],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});
