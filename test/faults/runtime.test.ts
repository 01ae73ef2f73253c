/** A container runtime that dies, hangs, or is not there. */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Node } from '../../src/api/core.gen.ts';
import { isReady, type TestAgent, until } from '../agent.ts';
import { json, ScriptedApi } from '../cluster/api-script.ts';
import { startContainerd } from '../peers/containerd.ts';
import { containerId, faultsPlace, pod, restarts } from './place.ts';

const on = faultsPlace();
const { start } = on;

const readyOf = (node: Node) => node.status?.conditions?.find(({ type }) => type === 'Ready');
const ready = async (a: TestAgent) => readyOf(JSON.parse(await a.get('/api/v1/nodes/robot')) as Node)!;

describe('the container runtime', () => {
  it('that is killed and comes back costs no pod, and the node says so meanwhile', async () => {
    const containerd = await startContainerd('1.6');
    try {
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('a.yaml', pod('contained', { host: false }));
      await a.apply('b.yaml', pod('native'));
      const before = await a.ready('contained');
      await a.ready('native');
      await containerd.kill9();
      await until('the node says so', async () => (await ready(a)).status === 'False');
      expect((await ready(a)).message).toMatch(/runtime/);
      // Host processes do not care.
      await a.apply('c.yaml', pod('native-too'));
      await a.ready('native-too');
      // What is not known stays as it was.
      expect(isReady((await a.pod('contained'))!)).toBe(true);
      await a.apply('d.yaml', pod('late', { host: false }));
      await sleep(1000);
      await containerd.restart();
      await a.ready('late');
      await until('the node is ready', async () => (await ready(a)).status === 'True');
      const after = await a.ready('contained');
      expect(containerId(after)).toBe(containerId(before));
      expect(restarts(after)).toBe(0);
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });

  it('that is killed before it noted how a container ended does not make the next agent forget it', async () => {
    const containerd = await startContainerd('1.6');
    try {
      const a = await start({ criEndpoint: containerd.endpoint });
      const job = { host: false, command: 'sleep 2; exit 7', extra: '  restartPolicy: Never' };
      await a.apply('a.yaml', pod('job', job));
      const id = containerId(await a.ready('job')).replace(/.*:\/\//, '');
      const isTaken = (line: string) => line.includes('shim disconnected') && line.includes(id);
      while (!containerd.log().split('\n').some(isTaken)) await sleep(1);
      await containerd.kill9();
      await containerd.restart();
      const ended = { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 7 } } }] };
      const status = async () => (await a.pod('job'))?.status;
      await expect.poll(status, { timeout: 30_000 }).toMatchObject(ended);
      await a.stop('SIGKILL');
      await a.start();
      // It shows the pod from its record before it has looked.
      await sleep(2000);
      expect(await status()).toMatchObject(ended);
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });

  it('that hangs holds up nothing else, and goes on when it wakes', async () => {
    const containerd = await startContainerd('1.6');
    try {
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('a.yaml', pod('contained', { host: false }));
      const before = await a.ready('contained');
      await containerd.freeze();
      await a.apply('d.yaml', pod('late', { host: false }));
      await a.apply('b.yaml', pod('native'));
      const native = await a.ready('native');
      const pid = Number(await a.cli('exec', 'native-robot', '--', 'sh', '-c', 'echo $PPID'));
      expect(Number.isInteger(pid)).toBe(true);
      await a.stop('SIGKILL');
      await a.start();
      expect(containerId(await a.ready('native'))).toBe(containerId(native));
      await sleep(3000);
      containerd.thaw();
      await a.ready('late');
      expect(containerId(await a.ready('contained'))).toBe(containerId(before));
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      containerd.thaw();
      await containerd.stop();
    }
  });

  it('that hangs when the agent starts has no node called ready', async () => {
    const containerd = await startContainerd('1.6');
    const api = await ScriptedApi.start();
    try {
      const told: Node[] = [];
      api.answer = async ({ method, path }, response, request) => {
        if (method === 'GET' || !path.startsWith('/api/v1/nodes')) return json(response, 404, {});
        const node = JSON.parse(await text(request)) as Node;
        told.push(node);
        json(response, 200, { ...node, metadata: { name: 'robot', uid: 'u', resourceVersion: '1' } });
      };
      await containerd.freeze();
      const args = ['--kubeconfig', await api.kubeconfig('t')];
      const a = await start({ criEndpoint: containerd.endpoint, args });
      await until('the API server is told', () => told.length > 0);
      expect(readyOf(told[0]!)).toMatchObject({
        status: 'False',
        message: expect.stringMatching(/it has not answered yet/),
      });
      containerd.thaw();
      await until('it is ready', async () => (await ready(a)).status === 'True');
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      containerd.thaw();
      await containerd.stop();
      await api.stop();
    }
  });

  it('that is slow when the agent starts does not make a node of a cluster unready for a moment', async () => {
    const containerd = await startContainerd('1.6');
    const api = await ScriptedApi.start();
    try {
      const told: Node[] = [];
      const known = { metadata: { name: 'robot', uid: 'u', resourceVersion: '1' } };
      api.answer = async ({ method, path }, response, request) => {
        if (!path.startsWith('/api/v1/nodes/robot')) return json(response, 404, {});
        if (method === 'GET') return json(response, 200, known);
        const node = JSON.parse(await text(request)) as Node;
        if (path.endsWith('/status')) told.push(node);
        json(response, 200, { ...node, ...known });
      };
      await containerd.freeze();
      const args = ['--kubeconfig', await api.kubeconfig('t')];
      const a = await start({ criEndpoint: containerd.endpoint, args });
      // Longer than a start waits for it.
      await sleep(2500);
      containerd.thaw();
      await until('the API server is told', () => told.length > 0);
      await until('the runtime is known', () =>
        told.some(({ status }) => status?.nodeInfo?.containerRuntimeVersion),
      );
      expect(told.map((node) => readyOf(node)?.status)).not.toContain('False');
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      containerd.thaw();
      await containerd.stop();
      await api.stop();
    }
  });

  it('that is gone when the agent starts does not keep it from starting', async () => {
    const containerd = await startContainerd('1.6');
    try {
      await containerd.kill9();
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('b.yaml', pod('native'));
      await a.ready('native');
      await a.apply('a.yaml', pod('contained', { host: false }));
      await containerd.restart();
      await a.ready('contained');
      await until('the node is ready', async () => (await ready(a)).status === 'True');
      const left = await a.remove();
      on.agent = undefined;
      expect(left).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });
});
