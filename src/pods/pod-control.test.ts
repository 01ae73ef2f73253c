import { expect, it } from 'vitest';
import { PodControl } from './pod-control.ts';
import { testPod } from './testing.ts';
import { TestMachine } from './testing-machine.ts';
import { PodWorker } from './worker.ts';

const eviction = { uid: 'uid-1', verdict: { reason: 'Evicted' }, graceSeconds: 3600 };

function podOnMachine() {
  const machine = new TestMachine();
  const record = {
    pod: testPod(),
    firstSeenMs: 0,
    ended: false,
    removing: false,
    runtime: 'process' as const,
  };
  const worker = new PodWorker(record, machine.deps());
  const control = new PodControl({ worker: () => worker, whyNoRoom: () => undefined });
  return { machine, worker, control };
}

it('takes a pod for evicted when it is down, before its time is over', async () => {
  const { worker, control } = podOnMachine();
  const running = new AbortController();
  const life = worker.run(running.signal);
  await control.evict(eviction, running.signal);
  expect(worker.record).toMatchObject({ ended: true, verdict: { reason: 'Evicted' } });
  running.abort();
  await life;
});

it('waits for an eviction no longer than the agent runs', async () => {
  const { worker, control } = podOnMachine();
  const running = new AbortController();
  const evicted = control.evict(eviction, running.signal);
  running.abort();
  await evicted;
  expect(worker.record.ended).toBe(false);
});
