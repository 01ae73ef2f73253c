import { describe, expect, it } from 'vitest';
import { testActual, testNowMs, testPod } from '../testing.ts';
import {
  dead,
  exited,
  type PlanCase,
  planned,
  ready,
  running,
  sidecar,
  stopAt,
  two,
  wanted,
} from './testing.ts';

describe('the end', () => {
  const cases: PlanCase[] = [
    {
      name: 'ends a pod that is over its deadline',
      pod: testPod({ activeDeadlineSeconds: 5 }),
      actual: testActual([ready], [running('a')]),
      startedAtMs: testNowMs - 5000,
      actions: [],
      end: {
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      },
    },
    {
      name: 'stops the containers first',
      pod: testPod({ initContainers: [sidecar], containers: two }),
      intent: stopAt(30_000),
      actual: testActual([ready], [running('a'), running('b'), running('s')]),
      actions: ['kill a0 pod', 'kill b0 pod'],
    },
    {
      name: 'then sidecars, the last first',
      pod: testPod({ initContainers: [sidecar, { ...sidecar, name: 't' }] }),
      intent: stopAt(30_000),
      actual: testActual([ready], [exited('a', 0), running('s'), running('t')]),
      actions: ['kill t0 pod'],
    },
    {
      name: 'then the sandbox',
      intent: stopAt(30_000),
      actual: testActual([ready], [exited('a', 0)]),
      actions: ['stop sandbox sb0'],
    },
    {
      name: 'and is stopped',
      intent: stopAt(30_000),
      actual: testActual([dead], [exited('a', 0)]),
      actions: [],
      stopped: true,
    },
    {
      name: 'kills also containers that the spec no longer names',
      intent: stopAt(0),
      actual: testActual([ready], [running('gone')]),
      actions: ['kill gone0 pod'],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});
