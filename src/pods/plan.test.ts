import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../api/core.gen.ts';
import type { ProbeResult } from '../probes/results.ts';
import type { Action, Plan } from './actions.ts';
import type { ActualPod } from './actual.ts';
import { crashLoopBackoffAnnotation, defaultBackoff } from './backoff.ts';
import type { Intent } from './plan/input.ts';
import { plan } from './plan.ts';
import { resourcesAnnotation } from './resize.ts';
import { testActual, testContainer, testNowMs, testPod, testProbes, testSandbox } from './testing.ts';

interface Case {
  name: string;
  pod?: Pod;
  actual: ActualPod;
  probes?: Record<string, ProbeResult>;
  intent?: Intent;
  startedAtMs?: number;
  replaced?: string[];
  pulled?: string[];
  restartCounts?: Record<string, number>;
  resizing?: boolean;
  prepared?: boolean;
  /** Short forms of the actions, in order. */
  actions: string[];
  end?: Plan['end'];
  waiting?: string[];
  stopped?: boolean;
}

const sidecar: Container = { name: 's', image: 'i', restartPolicy: 'Always' };
const init = (name: string): Container => ({ name, image: 'i' });
const two = [init('a'), init('b')];
const ready = testSandbox();
const dead = testSandbox({ state: 'SANDBOX_NOTREADY' });
const running = (name: string, over = {}) => testContainer(name, 'running', over);
const exited = (name: string, exitCode: number, over = {}) =>
  testContainer(name, 'exited', { exitCode, ...over });
/** It has ended, and the runtime still takes it down. */
const ending = (name: string, exitCode: number, over = {}) =>
  running(name, { exitCode, finishedAtMs: testNowMs - 1000, ...over });
const delay = (ms: number) => ({ annotations: { [crashLoopBackoffAnnotation]: String(ms) } });
const gate = { reason: 'StartConditionUnmet', message: '', unmet: ['topic /map (nobody publishes it)'] };
const gated: Intent = { kind: 'run', gate };
const inactive: Intent = { kind: 'prepare', why: { reason: 'Inactive', message: '' } };
const unconfigured: Intent = { kind: 'clear', why: { reason: 'Unconfigured', message: '' } };
const stopAt = (ms: number): Intent => ({ kind: 'stop', graceMs: ms });

const debugged = testPod({ ephemeralContainers: [{ name: 'd', image: 'i' }] });

const resized = (over: Partial<Container> = {}) =>
  testPod({ containers: [{ ...init('a'), resources: { requests: { cpu: '2' } }, ...over }, init('b')] });
const withOneCpu = { annotations: { [resourcesAnnotation]: '{"requests":{"cpu":"1"}}' } };
const withTwoCpus = { annotations: { [resourcesAnnotation]: '{"requests":{"cpu":"2"}}' } };
const restarts = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };

const cases: Case[] = [
  // Resize
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
  // Ephemeral containers
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
  // Sandbox
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
  // Containers
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
  // Init containers and sidecars
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
  // The end
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

  // Start order
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

  // Lifecycle: inactive
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

  // Lifecycle: unconfigured
  {
    name: 'has nothing to do for a pod of which nothing is there',
    intent: unconfigured,
    actual: testActual([]),
    actions: [],
    waiting: ['a Unconfigured'],
    stopped: true,
  },
  {
    name: 'cleans up: stops the sandbox',
    intent: unconfigured,
    actual: testActual([ready]),
    actions: ['stop sandbox sb0'],
    waiting: ['a Unconfigured'],
  },
  {
    name: 'cleans up: containers before the sandbox',
    intent: unconfigured,
    actual: testActual([ready], [running('a')]),
    actions: ['kill a0 deactivated'],
    waiting: ['a Unconfigured'],
  },
];

describe('plan', () => {
  it.each(cases)('$name', (c) => {
    const result = run(c);
    expect(result.actions.map(short)).toEqual(c.actions);
    expect(result.end).toEqual(c.end);
    expect([...result.waiting].map(([name, { reason }]) => `${name} ${reason}`)).toEqual(c.waiting ?? []);
    expect(result.stopped).toBe(c.stopped ?? false);
    if (c.prepared !== undefined) expect(result.prepared).toBe(c.prepared);
  });

  it('says when the back off ends', () => {
    const actual = testActual([ready], [exited('a', 1, { attempt: 1, ...delay(10_000) })]);
    expect(run({ actual }).wakeAtMs).toBe(testNowMs - 1000 + 10_000);
  });

  it('doubles the back off up to the maximum', () => {
    const next = (ms: number) => {
      const last = exited('a', 1, {
        attempt: 1,
        ...delay(ms),
        finishedAtMs: testNowMs - 400_000,
        startedAtMs: testNowMs - 400_100,
      });
      const [action] = run({ actual: testActual([ready], [last]) }).actions;
      return action?.do === 'startContainer' ? action.backoffMs : undefined;
    };
    expect([0, 10_000, 20_000, 160_000, 300_000].map(next)).toEqual([
      10_000, 20_000, 40_000, 300_000, 300_000,
    ]);
  });

  it("gives a container that failed a probe the probe's own grace", () => {
    const livenessProbe = { terminationGracePeriodSeconds: 3 };
    const result = run({
      pod: testPod({ containers: [{ ...init('a'), livenessProbe }], terminationGracePeriodSeconds: 60 }),
      actual: testActual([ready], [running('a')]),
      probes: { 'a0/liveness': 'failure' },
    });
    expect(result.actions[0]).toMatchObject({ graceMs: 3000 });
  });

  const state = fc.constantFrom('created', 'running', 'exited', 'unknown' as const);
  const anyActual = fc
    .record({
      sandbox: fc.constantFrom('none', 'ready', 'dead'),
      containers: fc.array(
        fc.record({
          name: fc.constantFrom('a', 'b', 'i', 's', 'x'),
          state,
          attempt: fc.nat(3),
          exitCode: fc.nat(2),
        }),
        { maxLength: 8 },
      ),
    })
    .map(({ sandbox, containers }) =>
      testActual(
        sandbox === 'none' ? [] : [sandbox === 'ready' ? ready : dead],
        containers
          .sort((x, y) => y.attempt - x.attempt)
          .map((c) =>
            testContainer(c.name, c.state as 'running', { attempt: c.attempt, exitCode: c.exitCode }),
          ),
      ),
    );
  const anyPod = fc
    .constantFrom('Always', 'OnFailure', 'Never')
    .map((restartPolicy) =>
      testPod({ restartPolicy, containers: two, initContainers: [init('i'), sidecar] }),
    );

  it('never starts a container beside a living instance of it', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        for (const action of run({ pod, actual }).actions) {
          if (action.do !== 'startContainer') continue;
          const newest = actual.containers.find((c) => c.metadata.name === action.name);
          expect(newest?.state === 'CONTAINER_RUNNING' && newest.podSandboxId === action.podSandboxId).toBe(
            false,
          );
        }
      }),
    );
  });

  it('never starts anything in a pod that is to end', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        const result = run({ pod, actual, intent: stopAt(0) });
        expect(result.actions.every((a) => a.do === 'killContainer' || a.do === 'stopSandbox')).toBe(true);
        const alive = actual.containers.some(
          (c) => c.state === 'CONTAINER_RUNNING' || c.state === 'CONTAINER_UNKNOWN',
        );
        expect(result.stopped).toBe(!alive && actual.sandboxes.every((s) => s.state !== 'SANDBOX_READY'));
      }),
    );
  });

  it('starts nothing in a pod that is not to be active, and comes to an end', () => {
    const done = { inactive, unconfigured };
    fc.assert(
      fc.property(anyPod, anyActual, fc.constantFrom(...Object.values(done)), (pod, actual, intent) => {
        const { actions, prepared, stopped } = run({ pod, actual, intent, pulled: ['a', 'b', 'i', 's'] });
        expect(actions.some((a) => a.do === 'startContainer')).toBe(false);
        const isIdle = intent === inactive ? prepared : stopped;
        // Only a wait for yet another sandbox has neither actions nor an end.
        if (actual.sandboxes.length === 0 || intent === unconfigured)
          expect(isIdle).toBe(actions.length === 0);
      }),
    );
  });

  it('gives the same plan for the same facts', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        expect(run({ pod, actual })).toEqual(run({ pod, actual }));
      }),
    );
  });
});

function run(c: Pick<Case, 'actual'> & Partial<Case>): Plan {
  return plan({
    pod: c.pod ?? testPod(),
    intent: c.intent ?? { kind: 'run' },
    actual: c.actual,
    probes: testProbes(c.probes),
    backoff: defaultBackoff,
    containerHash: () => 'h',
    replaced: new Set(c.replaced),
    pulled: new Set(c.pulled),
    restartCounts: new Map(Object.entries(c.restartCounts ?? {})),
    resizing: c.resizing ?? false,
    startedAtMs: c.startedAtMs ?? testNowMs,
    nowMs: testNowMs,
  });
}

function short(action: Action): string {
  switch (action.do) {
    case 'createSandbox':
      return `sandbox ${action.attempt}${action.replaces.length > 0 ? ` for ${action.replaces.join()}` : ''}`;
    case 'stopSandbox':
      return `stop sandbox ${action.podSandboxId}`;
    case 'startContainer':
      return `start ${action.containerId ?? action.name} ${action.kind} #${action.restartCount} in ${action.podSandboxId}`;
    case 'killContainer':
      return `kill ${action.containerId} ${action.reason}`;
    case 'removeContainer':
      return `remove ${action.containerId}`;
    case 'pullImage':
      return `pull ${action.name}`;
    case 'resize':
      return `resize ${action.names.join()}`;
  }
}
