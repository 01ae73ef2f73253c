/** etcd brought back from a backup under a running node: the cluster is as it was then, and its versions begin anew. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Node, Pod } from '../../src/api/core.gen.ts';
import { isReady, nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { hostPod, loop, removePods } from './steps.ts';

let plane: ControlPlane;
let agent: TestAgent;

beforeAll(async () => {
  plane = await ControlPlane.start();
  agent = await TestAgent.create({ args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName)] });
  await agent.start();
}, 1_800_000);

afterAll(async () => {
  await removePods({ plane, agent });
  expect(await agent?.remove()).toEqual([]);
  await plane?.stop();
});

const pod = (name: string, script = loop): Pod =>
  hostPod(name, script, { nodeName, restartPolicy: 'Never', tolerations: [{ operator: 'Exists' }] });

const shown = async (name: string): Promise<Pod | undefined> => {
  const { items } = await plane.get<{ items: Pod[] }>('pods');
  return items.find(({ metadata }) => metadata?.name === name);
};
const runs = (name: string): Promise<Pod> =>
  until(`${name} is ready in the cluster`, async () => {
    const found = await shown(name);
    return found && isReady(found) ? found : undefined;
  });
const hasSucceeded = (name: string) =>
  until(
    `${name} has succeeded for the cluster`,
    async () => (await shown(name))?.status?.phase === 'Succeeded',
  );
const here = async (name: string): Promise<boolean> =>
  (await agent.pods()).some(({ metadata }) => metadata?.name === name);
const containerOf = (found: Pod) => found.status?.containerStatuses?.[0];

it('what runs, what is told and what is deleted is that of the restored cluster', async () => {
  const go = join(agent.dir, 'go');
  for (const name of ['steady', 'deleted']) await plane.create(pod(name));
  await plane.create(pod('ends', `until [ -e ${go} ]; do sleep 0.1; done`));
  const before = await runs('steady');
  await runs('ends');
  await runs('deleted');
  const restore = await plane.backUp();

  // So that the versions of then are not soon passed by those of the restored cluster.
  const fillers = Array.from({ length: 400 }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `filler-${n}` },
  }));
  const file = join(agent.dir, 'fillers.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: fillers }));
  await plane.kubectl('create', '-f', file);
  await plane.kubectl('label', 'pod', 'steady', 'since=backup');
  await plane.kubectl('label', 'node', nodeName, 'since=backup');
  await plane.create(pod('late'));
  await runs('late');
  await plane.kubectl('delete', 'pod', 'deleted');
  await until('it is gone', async () => !(await here('deleted')));
  await writeFile(go, '');
  await hasSucceeded('ends');
  await restore();

  await until('a pod that is not in the backup goes', async () => !(await here('late')));
  await until('one that was deleted since is there again', async () =>
    isReady((await shown('deleted')) as Pod),
  );
  const node = await until('the node is told to be ready', async () => {
    const found = await plane.get<Node>('node', nodeName);
    return found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
      ? found
      : undefined;
  });
  expect(node.metadata?.labels?.since).toBeUndefined();
  expect(containerOf(await runs('steady'))).toMatchObject({
    restartCount: 0,
    containerID: containerOf(before)?.containerID,
  });
  // What happens from now on is told and obeyed.
  await plane.kubectl('delete', 'pod', 'steady', '--wait=false');
  await until('a deletion is obeyed', async () => (await shown('steady')) === undefined);
}, 300_000);
