/** An agent that is told to end while it starts, as by `systemctl restart` twice in a row: it has to go, and give its lock back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TestAgent } from '../agent.ts';
import { json, ScriptedApi } from '../cluster/api-script.ts';
import { slowness } from '../slowness.ts';
import { faultsPlace, pod } from './place.ts';

const on = faultsPlace();
const rounds = 15;
const patienceMs = 20_000 * slowness;

/** At moments all over its start, those nobody thought of among them. */
async function endsWhenever(agent: TestAgent): Promise<void> {
  on.agent = agent;
  await agent.apply('a.yaml', pod('steady'));
  const beganMs = performance.now();
  await agent.start();
  const startMs = performance.now() - beganMs;
  expect(await agent.stop()).toBe(0);
  for (let round = 0; round < rounds; round += 1) {
    const atMs = ((round + Math.random()) / rounds) * startMs;
    agent.spawn();
    await sleep(atMs);
    const code = await Promise.race([agent.stop(), sleep(patienceMs, 'still there')]);
    if (code === 'still there') await agent.stop('SIGKILL');
    // By the signal itself before it could listen to that.
    expect([0, null], `${atMs} ms of ${startMs} after it was started\n${agent.log.slice(-1000)}`).toContain(
      code,
    );
  }
}

it('ends whenever it is told to', async () => {
  await endsWhenever(await TestAgent.create());
});

it('ends whenever it is told to, also where a container runtime takes calls and does not answer', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roslet-silent-'));
  const silent = createServer().listen(join(dir, 'sock'));
  on.undo.push(() => silent.close());
  try {
    await endsWhenever(await TestAgent.create({ criEndpoint: `unix://${join(dir, 'sock')}` }));
  } finally {
    await rm(dir, { recursive: true });
  }
});

it.each([true, false])(
  'ends whenever it is told to, with an API server that answers: %s',
  async (answers) => {
    const api = await ScriptedApi.start();
    try {
      api.answer = ({ method, path }, response) => {
        if (!answers) return;
        const metadata = { name: 'robot', uid: 'u', resourceVersion: '1' };
        if (method !== 'GET' && path.startsWith('/api/v1/nodes')) json(response, 200, { metadata });
        else json(response, 404, {});
      };
      await endsWhenever(await TestAgent.create({ args: ['--kubeconfig', await api.kubeconfig('t')] }));
    } finally {
      // It does not start again without its kubeconfig.
      const left = await on.agent?.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
      await api.stop();
    }
  },
);
