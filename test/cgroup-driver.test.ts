/** An engine that makes cgroups in another way than the agent. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Node } from '../src/api/core.gen.ts';
import { TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';

let containerd: TestContainerd;
let agent: TestAgent;

beforeAll(async () => {
  // Of the release lines only this one tells.
  containerd = await startContainerd('2.x', { systemdCgroup: true });
  agent = await TestAgent.create({ criEndpoint: containerd.endpoint });
  await agent.start();
});
afterAll(async () => {
  expect(await agent.remove()).toEqual([]);
  await containerd.stop();
});

it('leaves the node NotReady, which says what to do', async () => {
  const ready = await until('the node says why', async () => {
    const { items } = JSON.parse(await agent.get('/api/v1/nodes')) as { items: Node[] };
    const found = items[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
    return found?.message?.includes('cgroup driver') && found;
  });
  expect(ready).toMatchObject({
    status: 'False',
    reason: 'KubeletNotReady',
    message: expect.stringContaining(
      'container runtime has the cgroup driver systemd, and the configuration says cgroupDriver: cgroupfs',
    ),
  });
});
