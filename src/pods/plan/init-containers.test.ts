import { describe, expect, it } from 'vitest';
import { testActual, testPod, testSandbox } from '../testing.ts';
import {
  dead,
  delay,
  exited,
  init,
  type PlanCase,
  planned,
  ready,
  running,
  sidecar,
  wanted,
} from './testing.ts';

describe('init containers and sidecars', () => {
  const cases: PlanCase[] = [
    {
      name: 'starts the first init container only',
      pod: testPod({ initContainers: [init('i'), init('j')] }),
      actual: testActual([ready]),
      actions: ['start i init #0 in sb0'],
    },
    {
      name: 'waits for a running init container',
      pod: testPod({ initContainers: [init('i'), init('j')] }),
      actual: testActual([ready], [running('i')]),
      actions: [],
    },
    {
      name: 'goes on with the next init container',
      pod: testPod({ initContainers: [init('i'), init('j')] }),
      actual: testActual([ready], [exited('i', 0)]),
      actions: ['start j init #0 in sb0'],
    },
    {
      name: 'runs a failed init container again',
      pod: testPod({ initContainers: [init('i')] }),
      actual: testActual([ready], [exited('i', 1)]),
      actions: ['start i init #1 in sb0'],
    },
    {
      name: 'ends a Never pod whose init container failed',
      pod: testPod({ initContainers: [init('i')], restartPolicy: 'Never' }),
      actual: testActual([ready], [exited('i', 1)]),
      actions: [],
      end: {},
    },
    {
      name: 'starts the containers after the last init container',
      pod: testPod({ initContainers: [init('i')] }),
      actual: testActual([ready], [exited('i', 0)]),
      actions: ['start a app #0 in sb0'],
    },
    {
      name: 'does not run init containers again once containers ran',
      pod: testPod({ initContainers: [init('i')] }),
      actual: testActual([ready], [exited('i', 1), exited('a', 1)]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'believes a later init container that the removed ones had succeeded',
      pod: testPod({ initContainers: [init('i'), init('j')] }),
      actual: testActual([ready], [exited('j', 0)]),
      actions: ['start a app #0 in sb0'],
    },
    {
      name: 'runs init containers again in a new sandbox',
      pod: testPod({ initContainers: [init('i')] }),
      actual: testActual([testSandbox({ id: 'sb1' }), dead], [exited('a', 1), exited('i', 0)]),
      actions: ['start i init #1 in sb1'],
    },
    {
      name: 'waits for a sidecar to have started',
      pod: testPod({ initContainers: [sidecar] }),
      actual: testActual([ready], [running('s')]),
      probes: { 's0/startup': 'unknown' },
      actions: [],
    },
    {
      name: 'goes on beside a started sidecar',
      pod: testPod({ initContainers: [sidecar] }),
      actual: testActual([ready], [running('s')]),
      actions: ['start a app #0 in sb0'],
    },
    {
      name: 'restarts a sidecar beside running containers',
      pod: testPod({ initContainers: [sidecar], restartPolicy: 'Never' }),
      actual: testActual([ready], [running('a'), exited('s', 0)]),
      actions: ['start s sidecar #1 in sb0'],
    },
    {
      name: 'keeps supervising containers while a sidecar is in back off',
      pod: testPod({ initContainers: [sidecar] }),
      actual: testActual([ready], [exited('a', 1), exited('s', 1, { attempt: 1, ...delay(10_000) })]),
      actions: ['start a app #1 in sb0'],
      waiting: ['s CrashLoopBackOff'],
    },
    {
      name: 'ends when all containers are done though the sidecar runs',
      pod: testPod({ initContainers: [sidecar], restartPolicy: 'Never' }),
      actual: testActual([ready], [exited('a', 0), running('s')]),
      actions: [],
      end: {},
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});
