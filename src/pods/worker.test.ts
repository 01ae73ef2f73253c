/** What a worker does with its pod over time, on a machine in memory. What it plans is in plan.test.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import type { PodRecord } from './pod-record.ts';
import { testPod } from './testing.ts';
import { TestMachine } from './testing-machine.ts';
import { PodWorker } from './worker.ts';
import type { WorkerDeps } from './worker-deps.ts';

let ending = new AbortController();
afterEach(() => {
  ending.abort();
  ending = new AbortController();
});

const recordOf = (pod: Pod, over: Partial<PodRecord> = {}): PodRecord => ({
  pod,
  firstSeenMs: Date.now(),
  ended: false,
  removing: false,
  runtime: 'process',
  ...over,
});

function start(
  machine: TestMachine,
  {
    pod = testPod(),
    record = {},
    deps = {},
  }: { pod?: Pod; record?: Partial<PodRecord>; deps?: Partial<WorkerDeps> } = {},
) {
  const worker = new PodWorker(recordOf(pod, record), machine.deps(deps));
  const stop = new AbortController();
  const run = worker.run(AbortSignal.any([ending.signal, stop.signal]));
  return { worker, run, stop };
}

const done = (machine: TestMachine, ...steps: string[]) =>
  expect.poll(() => machine.done).toEqual(expect.arrayContaining(steps));

describe('a pod that is to run', () => {
  it('is kept on disk before anything is done for it', async () => {
    const machine = new TestMachine();
    const { stop, run } = start(machine);
    await done(machine, 'start a');
    expect(machine.done.filter((step) => step !== 'save')).toEqual(['createSandbox', 'start a']);
    expect(machine.done[0]).toBe('save');
    stop.abort();
    await run;
    expect(machine.containers[0]?.state).toBe('CONTAINER_RUNNING');
  });

  it('is supervised also when nothing can be written, and written when it can', async () => {
    const machine = new TestMachine();
    machine.before.set('save', () => {
      throw new Error('disk full');
    });
    const { worker } = start(machine);
    await done(machine, 'start a');
    expect(machine.saved).toBeUndefined();
    machine.before.clear();
    worker.wake();
    await expect.poll(() => machine.saved?.pod.metadata?.uid).toBe('uid-1');
  });

  it('is restarted when its container ends', async () => {
    const machine = new TestMachine();
    const { worker } = start(machine);
    await done(machine, 'start a');
    machine.exit('a0', 1);
    worker.wake();
    await expect.poll(() => machine.containers[0]?.id).toBe('a1');
    await expect.poll(() => worker.status?.containerStatuses?.[0]?.restartCount).toBe(1);
  });

  it('is restarted when its container has ended, while the runtime still takes that down', async () => {
    const machine = new TestMachine();
    const takenDown = Promise.withResolvers<void>();
    machine.takesDown = takenDown.promise;
    const pod = testPod({ containers: ['a', 'b'].map((name) => ({ name, image: 'i' })) });
    const { worker } = start(machine, { pod });
    await done(machine, 'start a', 'start b');
    worker.update(pod, ['b']);
    await expect.poll(() => worker.status?.containerStatuses?.[1]?.restartCount).toBe(1);
    expect(machine.containers.map((c) => [c.id, c.state])).toContainEqual(['b0', 'CONTAINER_RUNNING']);
    expect(worker.status?.containerStatuses?.[1]).toMatchObject({
      state: { running: {} },
      lastState: { terminated: { exitCode: 143 } },
    });
    takenDown.resolve();
    await expect
      .poll(() => worker.actual.containers.filter((c) => c.state === 'CONTAINER_EXITED'))
      .toHaveLength(1);
    expect(machine.done.filter((step) => /^(start|kill) /.test(step))).toEqual([
      'start a',
      'start b',
      'kill b0',
      'start b',
    ]);
  });

  it('shows why its container does not start, and is tried again when that helps', async () => {
    const machine = new TestMachine();
    machine.before.set('start a', () => ({
      reason: 'CreateContainerError',
      message: 'no',
      retryInMs: 60_000,
    }));
    const { worker } = start(machine);
    await expect
      .poll(() => worker.status?.containerStatuses?.[0]?.state?.waiting)
      .toEqual({
        reason: 'CreateContainerError',
        message: 'no',
      });
    machine.before.clear();
    worker.wake();
    await expect.poll(() => machine.done.filter((s) => s === 'save').length).toBeGreaterThan(0);
    expect(machine.done).not.toContain('start a');
    worker.retry();
    await done(machine, 'start a', 'refreshVolumes');
  });

  it('misses no news that come while it is tried', async () => {
    const machine = new TestMachine();
    const trying = Promise.withResolvers<void>();
    const news = Promise.withResolvers<void>();
    machine.before.set('createSandbox', async () => {
      machine.before.clear();
      trying.resolve();
      await news.promise;
      return { reason: 'ContainerCreating', message: 'configmap "c" not found', retryInMs: 60_000 };
    });
    const { worker } = start(machine);
    await trying.promise;
    worker.retry();
    news.resolve();
    await done(machine, 'start a');
  });

  it('is synced again after a failure that nobody expected, and tells of it', async () => {
    const machine = new TestMachine();
    machine.before.set('read', () => {
      machine.before.clear();
      throw new Error('runtime gone');
    });
    start(machine);
    await done(machine, 'report error', 'start a');
  });

  it('has its volumes rendered anew also when that was cut short, or failed', async () => {
    const machine = new TestMachine();
    const { worker } = start(machine);
    await expect.poll(() => worker.lifecycle?.reached).toBe('active');
    const begun = Promise.withResolvers<void>();
    machine.before.set('refreshVolumes', (signal) => {
      const aborted = Promise.withResolvers<undefined>();
      signal?.addEventListener('abort', () => aborted.reject(signal.reason));
      begun.resolve();
      return aborted.promise;
    });
    worker.retry();
    await begun.promise;
    let failures = 0;
    machine.before.set('refreshVolumes', () => {
      failures += 1;
      if (failures === 1) throw new Error('disk full');
      return undefined;
    });
    await worker.setGoal('inactive');
    await done(machine, 'report error', 'refreshVolumes');
  });

  it('waits for others with its sandbox made, and says so once', async () => {
    const machine = new TestMachine();
    machine.unmet = ['pod/b active'];
    const { worker } = start(machine);
    await done(machine, 'createSandbox', 'report gate');
    await expect.poll(() => worker.isWaiting).toBe(true);
    worker.wake();
    machine.unmet = [];
    worker.wake(false);
    await done(machine, 'start a');
    expect(worker.isWaiting).toBe(false);
    expect(machine.done.filter((step) => step === 'report gate')).toHaveLength(1);
  });

  it('has only the containers started anew that a change names', async () => {
    const machine = new TestMachine();
    const pod = testPod({ containers: ['a', 'b'].map((name) => ({ name, image: 'i' })) });
    const { worker } = start(machine, { pod });
    await done(machine, 'start a', 'start b');
    worker.update(pod, ['b']);
    await expect.poll(() => machine.containers.map((c) => c.id).sort()).toEqual(['a0', 'b0', 'b1']);
    expect(machine.done).toContain('kill b0');
    expect(machine.done).not.toContain('kill a0');
    await expect.poll(() => machine.saved?.revisions).toEqual({ b: 1 });
  });
});

describe('how a container ended', () => {
  it('is known to a later life of the agent also when the runtime does not know it any more', async () => {
    const machine = new TestMachine();
    const pod = testPod({
      containers: [{ name: 'job' }, { name: 'other' }],
      restartPolicy: 'OnFailure',
    });
    const first = start(machine, { pod });
    await done(machine, 'start job', 'start other');
    machine.exit('job0', 0);
    first.worker.wake();
    const jobEnd = () =>
      machine.status?.containerStatuses?.find(({ name }) => name === 'job')?.state?.terminated;
    await expect.poll(jobEnd).toMatchObject({ exitCode: 0 });
    const told = jobEnd();
    first.stop.abort();
    await first.run;

    machine.exit('job0', 255);
    machine.containers = machine.containers.map((c) =>
      c.id === 'job0' ? { ...c, reason: 'Unknown', finishedAtMs: Date.now() + 5000 } : c,
    );
    const { status } = first.worker.record;
    const reads = machine.reads;
    const second = start(machine, { pod, record: { status }, deps: { isSaved: true } });
    await expect.poll(() => machine.reads).toBeGreaterThan(reads);
    second.worker.wake();
    await expect.poll(() => machine.reads).toBeGreaterThan(reads + 1);
    expect(jobEnd()).toEqual(told);
    expect(machine.done.filter((step) => step === 'start job')).toHaveLength(1);
  });
});

describe('the conditions of others', () => {
  it('are taken over, and ours stay as they are', async () => {
    const machine = new TestMachine();
    const { worker } = start(machine, {
      pod: testPod({ readinessGates: [{ conditionType: 'x.org/calibrated' }] }),
    });
    const ready = () => worker.status?.conditions?.find((c) => c.type === 'Ready')?.status;
    await expect.poll(() => worker.status?.containerStatuses?.[0]?.ready).toBe(true);
    expect(ready()).toBe('False');
    const told = worker.status;
    worker.observeStatus({
      conditions: [
        { type: 'x.org/calibrated', status: 'True' },
        { type: 'PodScheduled', status: 'False' },
      ],
    });
    expect(told?.conditions?.some((c) => c.type === 'x.org/calibrated')).toBe(false);
    await expect.poll(() => ready()).toBe('True');
    expect(worker.status?.conditions?.find((c) => c.type === 'PodScheduled')?.status).toBe('True');
  });
});

describe('a pod that is to go', () => {
  it('goes down in order, and is told of when it has ended, when only records are left and when it is gone', async () => {
    const machine = new TestMachine();
    const known: unknown[] = [];
    machine.before.set('kill a0', () => {
      known.push(machine.saved?.hooked);
      return undefined;
    });
    const lifecycle = { preStop: { exec: { command: ['true'] } } };
    const pod = testPod({ containers: [{ name: 'a', image: 'i', lifecycle }] });
    const { worker, run } = start(machine, { pod });
    await done(machine, 'start a');
    worker.stop({ remove: true });
    await run;
    // What a later life of the agent must know is on disk before the hook runs.
    expect(known).toEqual([['a0']]);
    const steps = machine.done.filter((step) => step !== 'save');
    expect(steps.slice(2)).toEqual([
      'kill a0',
      'stopSandbox',
      'release',
      'ended',
      'released',
      'remove',
      'removed',
    ]);
  });

  it('waits for what has ended as long as the runtime takes that down', async () => {
    const machine = new TestMachine();
    const takenDown = Promise.withResolvers<void>();
    machine.takesDown = takenDown.promise;
    const { worker, run } = start(machine);
    await done(machine, 'start a');
    worker.stop({ remove: true });
    await done(machine, 'kill a0');
    const reads = machine.reads;
    worker.wake();
    await expect.poll(() => machine.reads).toBeGreaterThan(reads);
    expect(machine.done).not.toContain('stopSandbox');
    takenDown.resolve();
    await run;
    expect(machine.done).toContain('stopSandbox');
  });

  it('does not wait for what is being started', async () => {
    const machine = new TestMachine();
    machine.before.set('createSandbox', (signal) => {
      const aborted = Promise.withResolvers<undefined>();
      signal?.addEventListener('abort', () => aborted.reject(signal.reason));
      machine.done.push('creating');
      return aborted.promise;
    });
    const { worker, run } = start(machine);
    await done(machine, 'creating');
    worker.stop({ remove: true });
    await run;
    expect(machine.done).toContain('removed');
    expect(machine.done).not.toContain('report error');
  });

  it('is shown with the verdict, the first that was given, and stays while it is desired', async () => {
    const machine = new TestMachine();
    const { worker } = start(machine);
    await done(machine, 'start a');
    worker.stop({ remove: false, verdict: { phase: 'Failed', reason: 'Evicted', message: 'no memory' } });
    worker.stop({ remove: false, graceSeconds: 0, verdict: { phase: 'Failed', reason: 'Other' } });
    await done(machine, 'ended');
    await expect.poll(() => machine.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(machine.done).not.toContain('remove');
    expect(machine.saved).toMatchObject({ ended: true, verdict: { reason: 'Evicted' } });
  });

  it('gets no longer than it was given first, and less when it is told so', async () => {
    const machine = new TestMachine();
    const held = Promise.withResolvers<undefined>();
    machine.before.set('kill a0', (signal) => {
      machine.done.push('killing');
      signal?.addEventListener('abort', () => held.reject(signal.reason));
      return held.promise;
    });
    const { worker, run } = start(machine, { pod: testPod({ terminationGracePeriodSeconds: 100 }) });
    await done(machine, 'start a');
    worker.stop({ remove: true });
    await done(machine, 'killing');
    const first = worker.record.stop?.deadlineMs;
    worker.stop({ remove: true, graceSeconds: 1000 });
    expect(worker.record.stop?.deadlineMs).toBe(first);
    machine.before.clear();
    worker.stop({ remove: true, graceSeconds: 1 });
    await run;
    // The hook had its chance: it is not run again by the kill that is sooner.
    expect(machine.done).toContain('kill a0 again');
    expect(machine.graces.at(-1)).toBeLessThanOrEqual(1000);
  });

  it('goes on being taken down by a later life of the agent, with what is left of its grace', async () => {
    const machine = new TestMachine();
    const first = start(machine);
    await done(machine, 'start a');
    first.stop.abort();
    await first.run;
    const nowMs = Date.now();
    const second = start(machine, {
      record: {
        removing: true,
        hooked: ['a0'],
        // The clock was set while nobody looked.
        stop: { graceMs: 5000, deadlineMs: nowMs + 3_600_000 },
      },
      deps: { isSaved: true },
    });
    await second.run;
    expect(machine.done).toContain('kill a0 again');
    expect(machine.graces).toHaveLength(1);
    expect(machine.graces[0]).toBeLessThanOrEqual(5000);
  });
});

describe('how far a pod is brought up', () => {
  it('is kept before it is seen, and followed both ways', async () => {
    const machine = new TestMachine();
    const { worker } = start(machine, { record: { goal: 'inactive' } });
    await expect.poll(() => worker.lifecycle?.reached).toBe('inactive');
    expect(machine.done).not.toContain('start a');
    await worker.setGoal('active');
    expect(machine.saved?.goal).toBe('active');
    await expect.poll(() => worker.lifecycle).toMatchObject({ goal: 'active', reached: 'active' });
    await worker.setGoal('inactive');
    await expect.poll(() => worker.lifecycle?.reached).toBe('inactive');
    expect(machine.done).toContain('kill a0');
    expect(machine.sandboxes[0]?.state).toBe('SANDBOX_READY');
    await worker.setGoal('unconfigured');
    await expect.poll(() => worker.lifecycle?.reached).toBe('unconfigured');
    expect(machine.sandboxes).toEqual([]);
    expect(machine.done).not.toContain('ended');
  });

  it('says what keeps it from being active once that failed twice', async () => {
    const machine = new TestMachine();
    machine.before.set('createSandbox', () => ({
      reason: 'ContainerCreating',
      message: 'no network',
      retryInMs: 1,
    }));
    const { worker } = start(machine);
    await expect.poll(() => worker.lifecycle?.problem?.message).toBe('no network');
  });
});
