/** A real agent whose disk fills up: who has to go, who may stay, who may come, and what the node says meanwhile. */
import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeExits } from '../runtime/contract/process.ts';
import type { Node, Pod } from '../src/api/core.gen.ts';
import { isReady, TestAgent, until } from './agent.ts';

const mib = 2 ** 20;

const podNamed = (name: string, command: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    runtimeClassName: 'host-process',
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'main', command: ['sh', '-c', command], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    ],
    volumes: [{ name: 'data', emptyDir: {} }],
  },
});

describe('a disk that fills up', () => {
  let agent: TestAgent;

  beforeEach(async () => {
    agent = await TestAgent.create({
      args: ['--eviction-hard=nodefs.available<20%', '--eviction-pressure-transition-period=1s'],
    });
    await mkdir(agent.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', agent.root]);
    await agent.start();
  });
  afterEach(async () => {
    await agent.stop();
    await agent.killPods();
    const mounts = execFileSync('findmnt', ['-Rrno', 'TARGET', agent.root], { encoding: 'utf8' }).trim();
    await removeExits(join(agent.root, 'process'));
    for (const target of mounts.split('\n').reverse()) execFileSync('umount', [target]);
    await rm(agent.dir, { recursive: true });
  });

  const create = (pod: Pod) => agent.send('POST', '/api/v1/namespaces/default/pods', pod);
  const diskPressure = async () => {
    const { items } = JSON.parse(await agent.get('/api/v1/nodes')) as { items: Node[] };
    return items[0]?.status?.conditions?.find(({ type }) => type === 'DiskPressure')?.status;
  };

  it('costs the pod that takes most, keeps others out until there is room, and spares the rest', async () => {
    await agent.apply(
      'static.yaml',
      JSON.stringify(podNamed('static', 'head -c 20000000 /dev/zero > /data/x; sleep 1000')),
    );
    await agent.ready('static');
    await create(podNamed('small', 'sleep 1000'));
    await create(podNamed('large', 'head -c 10000000 /dev/zero > /data/x; sleep 1000'));
    await agent.ready('small');
    await agent.ready('large');

    await writeFile(join(agent.root, 'filler'), Buffer.alloc(27 * mib));
    const evicted = await agent.podUntil(
      'large',
      'is evicted',
      ({ status }) => status?.phase === 'Failed',
      60_000,
    );
    expect(evicted.status).toMatchObject({
      reason: 'Evicted',
      message: expect.stringMatching(
        /^The node was low on resource: ephemeral-storage\. Threshold quantity: \d+, available: \d+/,
      ),
    });
    expect(evicted.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
      message: evicted.status?.message,
    });
    expect(await diskPressure()).toBe('True');
    expect((await agent.pod('static'))?.status?.phase).toBe('Running');

    await create(podNamed('late', 'sleep 1000'));
    const refused = await agent.podUntil('late', 'is refused', ({ status }) => status?.phase === 'Failed');
    expect(refused.status).toMatchObject({
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [DiskPressure]. ',
    });

    await rm(join(agent.root, 'filler'));
    await until('the pressure is over', async () => (await diskPressure()) === 'False', 60_000);
    await create(podNamed('later', 'sleep 1000'));
    await agent.ready('later');
    expect((await agent.pod('small'))?.status?.phase).toBe('Running');
  });

  it('brings a static pod back that was evicted for its own limit', async () => {
    const again = join(agent.dir, 'again');
    const fill = `[ -e ${again} ] || head -c 10000000 /dev/zero > /data/x; touch ${again}; sleep 1000`;
    const greedy = podNamed('greedy', fill);
    greedy.spec!.volumes = [{ name: 'data', emptyDir: { sizeLimit: '5Mi' } }];
    await agent.apply('greedy.yaml', JSON.stringify(greedy));
    await agent.ready('greedy');
    const isEvicted = (pod: Pod) => pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted';
    await agent.podUntil('greedy', 'is evicted', isEvicted, 60_000);
    const pod = await agent.podUntil('greedy', 'is back', isReady, 60_000);
    expect(pod.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect((await agent.events()).some(({ reason }) => reason === 'Evicted')).toBe(true);
  });
});
