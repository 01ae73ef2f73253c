/** Who is let in at all, and what becomes of a worker that dies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Agent, type AgentOptions } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import { createEventLog } from './events/recorder.ts';
import { silentLogger } from './log.ts';
import { PodRecords } from './pods/pod-records.ts';
import { testPod } from './pods/testing.ts';
import { TestMachine } from './pods/testing-machine.ts';
import { configSourceAnnotation } from './sources/source.ts';
import { openStore } from './store/store.ts';

let dir = '';
afterEach(() => rm(dir, { recursive: true, force: true }));

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
  const agent = new Agent({
    records: new PodRecords(await openStore(dir, log), log),
    events,
    log,
    now: Date.now,
    qosClass: () => 'BestEffort',
    workerDeps,
    isSourceRead: () => true,
    canJudge: () => true,
    nodeName: 'robot',
    ros: { has: () => false, onChange: () => () => undefined },
    release: () => undefined,
    finalize: async () => undefined,
    admissionContext: () => ({
      name: 'robot',
      labels: {},
      taints: [],
      allocatable: { pods: 10, cpu: 8000, memory: 2 ** 30, ...(missing && { [missing()]: 0 }) },
      runtimeClasses: [],
      allowedUnsafeSysctls: [],
      pressures: [],
      shuttingDown: false,
      hasRosBridge: true,
    }),
  });
  return { agent, events };
}

const requests = { cpu: '1', memory: '1Mi' };
const staticPod = (): Pod =>
  testPod(
    { containers: [{ name: 'a', image: 'i', resources: { requests } }] },
    { annotations: { [configSourceAnnotation]: 'file' } },
  );

describe('a static pod that is refused', () => {
  it('for reasons that alternate is shown with the latest, and told of each once', async () => {
    let round = 0;
    const { agent, events } = await agentOf({ missing: () => (round % 2 === 0 ? 'cpu' : 'memory') });
    agent.reconcile([staticPod()]);
    for (round = 1; round < 50; round++) agent.nodeChanged();
    expect(agent.pods()[0]?.status?.reason).toBe('OutOfmemory');
    expect(events.list().map(({ reason, count }) => [reason, count])).toEqual([
      ['OutOfcpu', 1],
      ['OutOfmemory', 1],
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
    const stop = new AbortController();
    await agent.start(stop.signal);
    agent.reconcile([staticPod()]);
    await vi.waitFor(() => expect(agent.worker('uid-1')?.status?.phase).toBe('Running'));
    machine.before.set('read', () => {
      machine.before.clear();
      throw new Error('what nobody expected');
    });
    agent.worker('uid-1')?.wake();
    await vi.waitFor(() => expect(defects).toBe(1));
    machine.exit('a0', 1);
    await vi.waitFor(() => expect(machine.containers[0]?.id).toBe('a1'), { timeout: 20_000 });
    expect(agent.pods()).toHaveLength(1);
    stop.abort();
  }, 30_000);
});
