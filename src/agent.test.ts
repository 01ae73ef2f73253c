/** Who is let in at all, and what becomes of a worker that dies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay, setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Agent, type AgentOptions } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import { createEventLog, type EventLog } from './events/recorder.ts';
import { silentLogger } from './log.ts';
import { type CounterName, createMetrics, type Metrics } from './metrics/metrics.ts';
import { podUid } from './pods/identity.ts';
import { newRecord, PodRecords } from './pods/pod-records.ts';
import { testPod } from './pods/testing.ts';
import { TestMachine } from './pods/testing-machine.ts';
import { configSourceAnnotation } from './sources/source.ts';
import { openStore } from './store/store.ts';

let dir = '';
let records: PodRecords | undefined;
let stop = new AbortController();
afterEach(async () => {
  stop.abort();
  stop = new AbortController();
  // What is still written would make the directory anew.
  await setTimeout(100);
  await records?.flush();
  await rm(dir, { recursive: true, force: true });
});

async function agentOf({
  missing,
  workerDeps = () => {
    throw new Error('no pod is admitted here');
  },
}: {
  missing?: () => 'cpu' | 'memory';
  workerDeps?: AgentOptions['workerDeps'];
}) {
  dir = await mkdtemp(join(tmpdir(), 'roslet-agent-'));
  const log = silentLogger();
  const events = createEventLog({
    component: 'roslet',
    nodeName: 'robot',
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
  });
  const metrics = createMetrics();
  records = new PodRecords(await openStore(dir, log), log);
  const agent = new Agent({
    records,
    events,
    metrics,
    log,
    now: Date.now,
    qosClass: () => 'BestEffort',
    workerDeps,
    isSourceRead: () => true,
    canJudge: () => true,
    nodeName: 'robot',
    ros: { has: () => false, onChange: () => () => undefined },
    finalize: async () => undefined,
    admissionContext: () => ({
      name: 'robot',
      labels: {},
      taints: [],
      allocatable: { pods: 10, cpu: 8000, memory: 2 ** 30, ...(missing && { [missing()]: 0 }) },
      runtimeHandlers: [],
      hasContainerRuntime: false,
      cannotLimitGroups: () => false,
      handlerOf: ({ spec }) => spec?.runtimeClassName ?? '',
      allowedUnsafeSysctls: [],
      pressures: [],
      shuttingDown: false,
      lacksAppArmor: () => false,
      hasRosBridge: true,
    }),
  });
  return { agent, events, metrics };
}

const counts = (metrics: Metrics, name: CounterName) =>
  [...(metrics.counted.get(name)?.values() ?? [])].map(({ labels, value }) => [labels, value]);

const requests = { cpu: '1', memory: '1Mi' };
const staticPod = (): Pod =>
  testPod(
    { containers: [{ name: 'a', image: 'i', resources: { requests } }] },
    { annotations: { [configSourceAnnotation]: 'file' } },
  );

describe('a static pod that is refused', () => {
  it('for reasons that alternate is shown with the latest, and told of each once', async () => {
    let round = 0;
    const { agent, events, metrics } = await agentOf({ missing: () => (round % 2 === 0 ? 'cpu' : 'memory') });
    agent.reconcile([staticPod()]);
    for (round = 1; round < 50; round++) agent.nodeChanged();
    expect(agent.pods()[0]?.status?.reason).toBe('OutOfmemory');
    expect(events.list().map(({ reason, count }) => [reason, count])).toEqual([
      ['OutOfcpu', 1],
      ['OutOfmemory', 1],
    ]);
    expect(counts(metrics, 'kubelet_admission_rejections_total').map(([labels]) => labels)).toEqual([
      { reason: 'OutOfcpu' },
      { reason: 'OutOfmemory' },
    ]);
  });

  it('is forgotten with its manifest, and told of anew when that comes back', async () => {
    const { agent, events } = await agentOf({ missing: () => 'cpu' });
    agent.reconcile([staticPod()]);
    agent.reconcile([]);
    expect(agent.pods()).toEqual([]);
    agent.reconcile([staticPod()]);
    expect(events.list().map(({ count }) => count)).toEqual([2]);
  });
});

describe('a pod of the API that is refused', () => {
  it('takes no room of those that come with it', async () => {
    const podOf = (name: string, cpu: string) =>
      testPod(
        { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu } } }] },
        { name, uid: name, annotations: { [configSourceAnnotation]: 'api' } },
      );
    const { agent } = await agentOf({
      workerDeps: () => ({ ...new TestMachine().deps(), kind: 'process' }),
    });
    agent.start(await records!.load(), stop.signal);
    agent.reconcile([podOf('big', '100'), podOf('small', '1')]);
    await expect.poll(() => agent.worker('small')?.status?.phase).toBe('Running');
    await expect
      .poll(() => agent.worker('big')?.status)
      .toMatchObject({ phase: 'Failed', reason: 'OutOfcpu' });
  });
});

describe('a critical pod that needs the room of others', () => {
  const podOf = (name: string, cpu: string, priority: number) =>
    testPod(
      { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu } } }], priority },
      { name, uid: name, annotations: { [configSourceAnnotation]: 'api' } },
    );
  const other = podOf('other', '6', 0);
  const critical = podOf('critical', '4', 2_000_000_000);

  async function agentWithVictim(victim = other) {
    const machines = new Map([victim, critical].map((pod) => [pod.metadata?.uid, new TestMachine()]));
    const held = Promise.withResolvers<undefined>();
    const made = await agentOf({
      workerDeps: (pod) => ({ ...machines.get(pod.metadata?.uid)!.deps(), kind: 'process' }),
    });
    machines.get('other')?.before.set('kill a0', () => held.promise);
    made.agent.start(await records!.load(), stop.signal);
    made.agent.reconcile([victim]);
    await expect.poll(() => made.agent.worker('other')?.status?.phase).toBe('Running');
    made.agent.reconcile([victim, critical]);
    return { ...made, held };
  }
  const shown = (agent: Agent, name: string) =>
    agent.pods().find((pod) => pod.metadata?.name === name)?.status;
  const told = (events: EventLog, reason: string) =>
    events
      .list()
      .filter((event) => event.reason === reason)
      .map((event) => event.involvedObject.name);

  it('is shown as waiting for them, and admitted when they have ended', async () => {
    const { agent, events, metrics, held } = await agentWithVictim();
    expect(shown(agent, 'critical')).toMatchObject({ phase: 'Pending', reason: 'WaitingForPreemption' });
    expect([...agent.waitingForRoom()].map(({ waitsFor }) => waitsFor)).toEqual([
      ['pod/default/other finalized (it is to make room)'],
    ]);
    expect(told(events, 'WaitingForPreemption')).toEqual(['critical']);
    expect(told(events, 'Preempting')).toEqual(['other']);
    expect(counts(metrics, 'kubelet_preemptions')).toEqual([[{ preemption_signal: 'cpu' }, 1]]);
    held.resolve(undefined);
    await expect.poll(() => shown(agent, 'critical')?.phase).toBe('Running');
    expect(shown(agent, 'critical')).not.toHaveProperty('reason');
    expect([...agent.waitingForRoom()]).toEqual([]);
  });

  it('is forgotten when nobody wants it any more', async () => {
    const { agent } = await agentWithVictim();
    agent.reconcile([other]);
    expect(shown(agent, 'critical')).toBeUndefined();
  });

  it('waits quietly also for one with a grace that is longer than any timer', async () => {
    const spec = { ...other.spec!, terminationGracePeriodSeconds: 30 * 86_400 };
    const { agent } = await agentWithVictim({ ...other, spec });
    const looks = vi.spyOn(agent, 'nodeChanged');
    await delay(100);
    expect(looks).not.toHaveBeenCalled();
    expect(shown(agent, 'critical')?.reason).toBe('WaitingForPreemption');
  });

  it('is not kept waiting either for one that was late before, which is told; but only where it needs the room', async () => {
    const small = podOf('small', '1', 2_000_000_000);
    const machines = new Map([other, small, critical].map((pod) => [pod.metadata?.uid, new TestMachine()]));
    machines.get('other')?.before.set('kill a0', () => new Promise(() => undefined));
    const { agent, events } = await agentOf({
      workerDeps: (pod) => ({ ...machines.get(pod.metadata?.uid)!.deps(), kind: 'process' }),
    });
    agent.start(await records!.load(), stop.signal);
    agent.reconcile([other]);
    await expect.poll(() => agent.worker('other')?.status?.phase).toBe('Running');
    agent.reconcile([]);
    const real = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + 45_000);
    agent.reconcile([small]);
    expect(told(events, 'ExceededGracePeriod')).toEqual([]);
    agent.reconcile([small, critical]);
    clock.mockRestore();
    await expect.poll(() => shown(agent, 'critical')?.phase).toBe('Running');
    expect(told(events, 'ExceededGracePeriod')).toEqual(['other']);
  });

  it('does not wait for ever for one that does not end', async () => {
    const { agent, events } = await agentWithVictim();
    agent.nodeChanged();
    expect(shown(agent, 'critical')?.reason).toBe('WaitingForPreemption');
    const real = performance.now.bind(performance);
    // As long as the grace and half of it again.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + 45_000);
    agent.nodeChanged();
    clock.mockRestore();
    await expect.poll(() => shown(agent, 'critical')?.phase).toBe('Running');
    expect(told(events, 'ExceededGracePeriod')).toEqual(['other']);
  });
});

describe('a pod that is gone but for what is still to be removed', () => {
  const podOf = (uid: string) => testPod({}, { uid, annotations: { [configSourceAnnotation]: 'api' } });

  async function agentWithRemains() {
    const machines = new Map(['first', 'second'].map((uid) => [uid, new TestMachine()]));
    const removal = Promise.withResolvers<undefined>();
    machines.get('first')?.before.set('remove', () => removal.promise);
    const gone: (string | undefined)[] = [];
    const made = await agentOf({
      workerDeps: (pod) => ({ ...machines.get(pod.metadata?.uid ?? '')!.deps(), kind: 'process' }),
    });
    made.agent.onPodChange(({ type, pod }) => {
      if (type === 'gone') gone.push(pod.metadata?.uid);
    });
    made.agent.start(await records!.load(), stop.signal);
    made.agent.reconcile([podOf('first')]);
    await expect.poll(() => made.agent.worker('first')?.status?.phase).toBe('Running');
    return { ...made, machines, removal, gone };
  }

  it('is told of no more, also when its removal fails and its status is another then', async () => {
    const machine = new TestMachine();
    let hostIps = ['192.0.2.1'];
    const { agent } = await agentOf({
      workerDeps: () => ({ ...machine.deps({ hostIps: () => hostIps }), kind: 'process' }),
    });
    const told: string[] = [];
    agent.onPodChange(({ type }) => told.push(type));
    agent.start(await records!.load(), stop.signal);
    agent.reconcile([podOf('first')]);
    await expect.poll(() => agent.worker('first')?.status?.phase).toBe('Running');
    machine.before.set('remove', () => {
      machine.before.delete('remove');
      hostIps = ['192.0.2.2'];
      throw new Error('not now');
    });
    agent.reconcile([]);
    await expect.poll(() => agent.owns('first')).toBe(false);
    expect(told.lastIndexOf('changed')).toBeLessThan(told.indexOf('gone'));
  });

  it('is there for nobody but those who would remove it, too, and leaves its name to the next', async () => {
    const { agent, gone, machines, removal } = await agentWithRemains();
    agent.reconcile([podOf('second')]);
    await expect.poll(() => agent.worker('second')?.status?.phase).toBe('Running');
    expect(gone).toEqual(['first']);
    expect(agent.pods().map((pod) => pod.metadata?.uid)).toEqual(['second']);
    expect(agent.owns('first')).toBe(true);
    removal.resolve(undefined);
    await expect.poll(() => agent.owns('first')).toBe(false);
    expect(machines.get('first')?.done.at(-1)).toBe('remove');
    expect(gone).toEqual(['first']);
  });

  it('comes back, when it is wanted again, after that was removed', async () => {
    const { agent, machines, removal } = await agentWithRemains();
    agent.reconcile([]);
    await expect.poll(() => agent.pods()).toEqual([]);
    agent.reconcile([podOf('first')]);
    expect(agent.worker('first')).toBeUndefined();
    machines.get('first')?.before.clear();
    removal.resolve(undefined);
    await expect.poll(() => agent.worker('first')?.status?.phase).toBe('Running');
  });
});

describe('a worker that dies of a defect', () => {
  it('is started again, and its pod goes on as it was', async () => {
    const machine = new TestMachine();
    let defects = 0;
    const { agent } = await agentOf({
      workerDeps: () => {
        const deps = machine.deps();
        const reportSyncError = () => {
          defects++;
          throw new TypeError('a defect');
        };
        return { ...deps, kind: 'process', effects: { ...deps.effects, reportSyncError } };
      },
    });
    agent.start(await records!.load(), stop.signal);
    agent.reconcile([staticPod()]);
    await expect.poll(() => agent.worker('uid-1')?.status?.phase).toBe('Running');
    machine.before.set('read', () => {
      machine.before.clear();
      throw new Error('what nobody expected');
    });
    agent.worker('uid-1')?.wake();
    await expect.poll(() => defects).toBe(1);
    machine.exit('a0', 1);
    await expect.poll(() => machine.containers[0]?.id).toBe('a1');
    expect(agent.pods()).toHaveLength(1);
  });
});

describe('a pod of an earlier life whose runtime is not configured any more', () => {
  it('is forgotten for good when it is deleted', async () => {
    const { agent } = await agentOf({});
    const records = new PodRecords(await openStore(dir, silentLogger()), silentLogger());
    const pod = testPod({}, { annotations: { [configSourceAnnotation]: 'api' } });
    await records.put(podUid(pod), { ...newRecord(pod, 0), runtime: 'cri' });
    agent.start(await records.load(), stop.signal);
    expect(agent.pods()[0]?.status?.reason).toBe('RuntimeClassNotSupported');
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    agent.reconcile([{ ...pod, metadata: { ...pod.metadata, deletionTimestamp } }]);
    await expect.poll(() => records.load()).toEqual([]);
    expect(agent.pods()).toEqual([]);
  });
});

it('a resize of a manifest that is put off is told of once', async () => {
  const machine = new TestMachine();
  const { agent, events } = await agentOf({ workerDeps: () => ({ ...machine.deps(), kind: 'process' }) });
  const podWith = (cpu: string): Pod =>
    testPod(
      { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu }, limits: { cpu } } }] },
      { annotations: { [configSourceAnnotation]: 'file' } },
    );
  const stop = new AbortController();
  agent.start(await records!.load(), stop.signal);
  agent.reconcile([podWith('1')]);
  await expect.poll(() => agent.worker('uid-1')?.status?.phase).toBe('Running');
  agent.reconcile([podWith('1000')]);
  for (let round = 0; round < 10; round += 1) agent.nodeChanged();
  const told = events.list().filter(({ reason }) => reason?.startsWith('Resize'));
  expect(told.map(({ count }) => count)).toEqual([1]);
  stop.abort();
});
