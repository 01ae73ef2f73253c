/** Who is let in at all, without a runtime: no pod of these gets so far as to need one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Agent } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import { createEventLog } from './events/recorder.ts';
import { silentLogger } from './log.ts';
import { PodRecords } from './pods/pod-records.ts';
import { testPod } from './pods/testing.ts';
import { configSourceAnnotation } from './sources/source.ts';
import { openStore } from './store/store.ts';

let dir = '';
afterEach(() => rm(dir, { recursive: true, force: true }));

async function agentOf(missing: () => 'cpu' | 'memory') {
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
    workerDeps: () => {
      throw new Error('no pod is admitted here');
    },
    isSourceRead: () => true,
    canJudge: () => true,
    nodeName: 'robot',
    ros: { has: () => false, onChange: () => () => undefined },
    finalize: async () => undefined,
    admissionContext: () => ({
      name: 'robot',
      labels: {},
      taints: [],
      allocatable: { pods: 10, cpu: 8000, memory: 2 ** 30, [missing()]: 0 },
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
    const { agent, events } = await agentOf(() => (round % 2 === 0 ? 'cpu' : 'memory'));
    agent.reconcile([staticPod()]);
    for (round = 1; round < 50; round++) agent.nodeChanged();
    expect(agent.pods()[0]?.status?.reason).toBe('OutOfmemory');
    expect(events.list().map(({ reason, count }) => [reason, count])).toEqual([
      ['OutOfcpu', 1],
      ['OutOfmemory', 1],
    ]);
  });

  it('is forgotten with its manifest, and told of anew when that comes back', async () => {
    const { agent, events } = await agentOf(() => 'cpu');
    agent.reconcile([staticPod()]);
    agent.reconcile([]);
    expect(agent.pods()).toEqual([]);
    agent.reconcile([staticPod()]);
    expect(events.list().map(({ count }) => count)).toEqual([2]);
  });
});
