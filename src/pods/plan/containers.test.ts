import { describe, expect, it } from 'vitest';
import { testActual, testContainer, testNowMs, testPod } from '../testing.ts';
import {
  dead,
  debugged,
  delay,
  ending,
  exited,
  init,
  type PlanCase,
  planned,
  planOf,
  ready,
  resized,
  running,
  sidecar,
  stopAt,
  two,
  wanted,
  withOneCpu,
} from './testing.ts';

describe('containers', () => {
  const cases: PlanCase[] = [
    {
      name: 'starts every container',
      pod: testPod({ containers: two }),
      actual: testActual([ready]),
      actions: ['start a app #0 in sb0', 'start b app #0 in sb0'],
    },
    { name: 'leaves a running container alone', actual: testActual([ready], [running('a')]), actions: [] },
    {
      name: 'restarts at once after the first crash',
      actual: testActual([ready], [exited('a', 1)]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'backs off after the second crash',
      actual: testActual([ready], [exited('a', 1, { attempt: 1, ...delay(10_000) }), exited('a', 1)]),
      actions: [],
      waiting: ['a CrashLoopBackOff'],
    },
    {
      name: 'backs off also after a clean exit',
      actual: testActual([ready], [exited('a', 0, { attempt: 1, ...delay(10_000) })]),
      actions: [],
      waiting: ['a CrashLoopBackOff'],
    },
    {
      name: 'starts again when the back off is over',
      actual: testActual(
        [ready],
        [exited('a', 1, { attempt: 1, ...delay(10_000), finishedAtMs: testNowMs - 10_000 })],
      ),
      actions: ['start a app #2 in sb0'],
    },
    {
      name: 'does not wait for an end that lies in the future because the clock was set back',
      actual: testActual(
        [ready],
        [
          exited('a', 1, {
            attempt: 1,
            ...delay(10_000),
            startedAtMs: testNowMs + 3_590_000,
            finishedAtMs: testNowMs + 3_600_000,
          }),
        ],
      ),
      actions: ['start a app #2 in sb0'],
    },
    {
      name: 'forgets the back off of an instance that ran long',
      actual: testActual(
        [ready],
        [exited('a', 1, { attempt: 4, ...delay(160_000), startedAtMs: testNowMs - 700_000 })],
      ),
      actions: ['start a app #5 in sb0'],
    },
    {
      name: 'does not restart with Never',
      pod: testPod({ restartPolicy: 'Never' }),
      actual: testActual([ready], [exited('a', 1)]),
      actions: [],
      end: {},
    },
    {
      name: 'waits for the others before a Never pod ends',
      pod: testPod({ restartPolicy: 'Never', containers: two }),
      actual: testActual([ready], [exited('a', 1), running('b')]),
      actions: [],
    },
    {
      name: 'does not restart a success with OnFailure',
      pod: testPod({ restartPolicy: 'OnFailure' }),
      actual: testActual([ready], [exited('a', 0)]),
      actions: [],
      end: {},
    },
    {
      name: 'restarts a failure with OnFailure',
      pod: testPod({ restartPolicy: 'OnFailure' }),
      actual: testActual([ready], [exited('a', 2)]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: "a container's own policy beats the pod's",
      pod: testPod({ restartPolicy: 'Never', containers: [{ ...init('a'), restartPolicy: 'OnFailure' }] }),
      actual: testActual([ready], [exited('a', 2)]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'a restart rule that matches restarts a Never container',
      pod: testPod({
        restartPolicy: 'Never',
        containers: [
          {
            ...init('a'),
            restartPolicy: 'Never',
            restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
          },
        ],
      }),
      actual: testActual([ready], [exited('a', 42)]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'a restart rule that does not match leaves the policy in force',
      pod: testPod({
        restartPolicy: 'Never',
        containers: [
          {
            ...init('a'),
            restartPolicy: 'Never',
            restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'NotIn', values: [1] } }],
          },
        ],
      }),
      actual: testActual([ready], [exited('a', 1)]),
      actions: [],
      end: {},
    },
    {
      name: 'starts an instance that was made, and whose start may be under way, and makes no other',
      actual: testActual([ready], [testContainer('a', 'created')]),
      actions: ['start a0 app #0 in sb0'],
    },
    {
      name: 'takes the place of an instance that was made and is not wanted so any more',
      actual: testActual([ready], [testContainer('a', 'created', { hash: 'old' })]),
      actions: ['remove a0', 'start a app #0 in sb0'],
    },
    {
      name: 'takes the place of an instance that was made in an earlier sandbox',
      actual: testActual([ready, dead], [testContainer('a', 'created', { podSandboxId: 'old' })]),
      actions: ['remove a0', 'start a app #0 in sb0'],
    },
    {
      name: 'takes the place of the older of two instances that were made',
      actual: testActual(
        [ready],
        [testContainer('a', 'created', { attempt: 1 }), testContainer('a', 'created')],
      ),
      actions: ['remove a0', 'start a1 app #0 in sb0'],
    },
    {
      name: 'does not count an instance that never started as a restart',
      actual: testActual([ready], [testContainer('a', 'created', { attempt: 1 }), exited('a', 1)]),
      actions: ['start a1 app #1 in sb0'],
    },
    {
      name: 'starts anew what has ended while the runtime still takes it down',
      actual: testActual([ready], [ending('a', 0)]),
      probes: { 'a0/liveness': 'failure' },
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'lets what was started anew run, whatever the probes of the one before found',
      actual: testActual([ready], [running('a', { attempt: 1 }), ending('a', 0)]),
      probes: { 'a0/liveness': 'failure' },
      actions: [],
    },
    {
      name: 'makes what has ended and is still being taken down wait for its back off',
      actual: testActual([ready], [ending('a', 1, delay(10_000))]),
      actions: [],
      waiting: ['a CrashLoopBackOff'],
    },
    {
      name: 'starts a sidecar anew that has ended and is still being taken down',
      pod: testPod({ initContainers: [sidecar] }),
      actual: testActual([ready], [ending('s', 0), running('a')]),
      actions: ['start s sidecar #1 in sb0'],
    },
    {
      name: 'starts an init container anew that failed and is still being taken down',
      pod: testPod({ initContainers: [init('i')] }),
      actual: testActual([ready], [ending('i', 1)]),
      actions: ['start i init #1 in sb0'],
    },
    {
      name: 'ends a Never pod whose container failed its probe and is still being taken down',
      pod: testPod({ restartPolicy: 'Never' }),
      actual: testActual([ready], [ending('a', 143)]),
      probes: { 'a0/liveness': 'failure' },
      actions: [],
      end: {},
    },
    {
      name: 'waits on the way down for what is still being taken down',
      actual: testActual([ready], [ending('a', 0)]),
      intent: stopAt(0),
      actions: ['kill a0 pod'],
    },
    {
      name: 'does not resize what has ended and is still being taken down',
      pod: resized(),
      actual: testActual([ready], [ending('a', 0, withOneCpu), running('b')]),
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'kills what is in an unknown state before starting anew',
      actual: testActual([ready], [testContainer('a', 'unknown')]),
      actions: ['kill a0 unknown'],
    },
    {
      name: 'kills a container whose definition changed, whatever the policy',
      pod: testPod({ restartPolicy: 'Never' }),
      actual: testActual([ready], [running('a', { hash: 'other' })]),
      actions: ['kill a0 changed'],
    },
    {
      name: 'kills a container that was taken out of the pod',
      actual: testActual([ready], [running('a'), running('gone')]),
      actions: ['kill gone0 changed'],
    },
    {
      name: 'starts a changed container without back off',
      actual: testActual([ready], [exited('a', 1, { attempt: 3, hash: 'other', ...delay(40_000) })]),
      actions: ['start a app #4 in sb0'],
    },
    {
      name: 'kills on a failed liveness probe',
      actual: testActual([ready], [running('a')]),
      probes: { 'a0/liveness': 'failure' },
      actions: ['kill a0 liveness'],
    },
    {
      name: 'kills on a failed startup probe',
      actual: testActual([ready], [running('a')]),
      probes: { 'a0/startup': 'failure' },
      actions: ['kill a0 startup'],
    },
    {
      name: 'starts a container again that was killed for its probe and ended well, with OnFailure',
      pod: testPod({ restartPolicy: 'OnFailure' }),
      actual: testActual([ready], [exited('a', 0)]),
      replaced: ['a0'],
      actions: ['start a app #1 in sb0'],
    },
    {
      name: 'starts an init container again that was killed for a change and ended well',
      pod: testPod({ initContainers: [init('i')], restartPolicy: 'Never' }),
      actual: testActual([ready], [exited('i', 0)]),
      replaced: ['i0'],
      actions: ['start i init #1 in sb0'],
    },
    {
      name: 'does not kill on a failed readiness probe',
      actual: testActual([ready], [running('a')]),
      probes: { 'a0/readiness': 'failure', 'a0/liveness': 'unknown' },
      actions: [],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});

describe('ephemeral containers', () => {
  const cases: PlanCase[] = [
    {
      name: 'starts an ephemeral container beside what runs',
      pod: debugged,
      actual: testActual([ready], [running('a')]),
      actions: ['start d ephemeral #0 in sb0'],
    },
    {
      name: 'lets an ephemeral container run',
      pod: debugged,
      actual: testActual([ready], [running('a'), running('d')]),
      actions: [],
    },
    {
      name: 'never starts an ephemeral container again',
      pod: debugged,
      actual: testActual([ready], [running('a'), exited('d', 1)]),
      actions: [],
    },
    {
      name: 'ends the pod when only an ephemeral container is left',
      pod: testPod({ restartPolicy: 'Never', ephemeralContainers: [{ name: 'd', image: 'i' }] }),
      actual: testActual([ready], [exited('a', 0), running('d')]),
      actions: [],
      end: {},
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});

it('says when the back off ends', () => {
  const actual = testActual([ready], [exited('a', 1, { attempt: 1, ...delay(10_000) })]);
  expect(planOf({ actual }).wakeAtMs).toBe(testNowMs - 1000 + 10_000);
});

it('doubles the back off up to the maximum', () => {
  const next = (ms: number) => {
    const last = exited('a', 1, {
      attempt: 1,
      ...delay(ms),
      finishedAtMs: testNowMs - 400_000,
      startedAtMs: testNowMs - 400_100,
    });
    const [action] = planOf({ actual: testActual([ready], [last]) }).actions;
    return action?.do === 'startContainer' ? action.backoffMs : undefined;
  };
  expect([0, 10_000, 20_000, 160_000, 300_000].map(next)).toEqual([10_000, 20_000, 40_000, 300_000, 300_000]);
});

it("gives a container that failed a probe the probe's own grace", () => {
  const livenessProbe = { terminationGracePeriodSeconds: 3 };
  const result = planOf({
    pod: testPod({ containers: [{ ...init('a'), livenessProbe }], terminationGracePeriodSeconds: 60 }),
    actual: testActual([ready], [running('a')]),
    probes: { 'a0/liveness': 'failure' },
  });
  expect(result.actions[0]).toMatchObject({ graceMs: 3000 });
});
