/** What kubectl shows of pods and does with them is the same on roslet and on the Go kubelet. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { isReady, until } from '../agent.ts';
import { busyboxImage } from '../peers/images.ts';
import { type Nodes, nodeNames, startNodes } from './nodes.ts';

let nodes: Nodes;

beforeAll(async () => {
  nodes = await startNodes();
}, 1_800_000);

afterAll(() => nodes?.stop());

describe.each(Object.entries(nodeNames))('on %s', (_, nodeName) => {
  it('a pod runs, tells its log and is gone', async () => {
    const { plane } = nodes;
    const name = `hello-${nodeName}`;
    await plane.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        nodeName,
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: busyboxImage, command: ['sh', '-c', 'echo hello; sleep 1000'] }],
      },
    });
    await until('it is ready', async () => isReady(await plane.get<Pod>('pod', name)), 60_000);
    expect(await plane.kubectl('logs', name)).toBe('hello\n');
    await plane.kubectl('delete', 'pod', name, '--timeout=60s');
  });
});
