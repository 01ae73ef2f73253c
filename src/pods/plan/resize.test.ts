import { describe, expect, it } from 'vitest';
import { testActual, testContainer, testPod } from '../testing.ts';
import {
  delay,
  exited,
  type PlanCase,
  planned,
  ready,
  resized,
  restarts,
  running,
  sidecar,
  wanted,
  withOneCpu,
  withTwoCpus,
} from './testing.ts';

describe('a resize', () => {
  const cases: PlanCase[] = [
    {
      name: 'changes the limits of a container that runs',
      pod: resized(),
      actual: testActual([ready], [running('a', withOneCpu), running('b')]),
      actions: ['resize a'],
    },
    {
      name: 'ends a resize that an earlier life of the agent did not',
      pod: resized(),
      resizing: true,
      actual: testActual([ready], [running('a', withTwoCpus), running('b')]),
      actions: ['resize '],
    },
    {
      name: 'resizes a sidecar, too',
      pod: testPod({ initContainers: [{ ...sidecar, resources: { requests: { cpu: '2' } } }] }),
      actual: testActual([ready], [running('s', withOneCpu), running('a')]),
      actions: ['resize s'],
    },
    {
      name: 'starts a container anew that wants it so, whatever the restart policy, and resizes when it is down',
      pod: { ...resized(restarts), spec: { ...resized(restarts).spec!, restartPolicy: 'Never' } },
      resizing: true,
      actual: testActual([ready], [running('a', withOneCpu), running('b')]),
      actions: ['kill a0 changed'],
    },
    {
      name: 'waits with a resize for a sidecar that is to be started anew when its turn comes',
      pod: testPod({
        initContainers: [
          sidecar,
          { ...sidecar, name: 't', resources: { requests: { cpu: '2' } }, ...restarts },
        ],
      }),
      resizing: true,
      actual: testActual([ready], [exited('s', 1, delay(300_000)), running('t', withOneCpu)]),
      actions: [],
      waiting: ['s CrashLoopBackOff'],
    },
    {
      name: 'does not make it wait for its back off',
      pod: resized(restarts),
      replaced: ['a0'],
      actual: testActual(
        [ready],
        [
          exited('a', 137, { annotations: { ...withOneCpu.annotations, ...delay(300_000).annotations } }),
          running('b'),
        ],
      ),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'keeps the back off of one whose limits would change while it runs',
      pod: resized(),
      actual: testActual(
        [ready],
        [
          exited('a', 1, { annotations: { ...withOneCpu.annotations, ...delay(300_000).annotations } }),
          running('b'),
        ],
      ),
      actions: [],
      waiting: ['a CrashLoopBackOff'],
    },
    {
      name: 'makes a container anew that was made for other limits and never ran',
      pod: resized(),
      actual: testActual([ready], [testContainer('a', 'created', withOneCpu), running('b')]),
      actions: ['remove a0', 'start a app #0 in sb0'],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});
