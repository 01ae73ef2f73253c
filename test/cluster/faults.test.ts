/**
 * API server, etcd and containerd killed, stopped and restarted at random, and the agent killed, while pods come, end and
 * go: at the end nothing was restarted, nothing lost, and the cluster knows how it is. `ROSLET_FAULT_MINUTES=10` goes on
 * for so long.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Container, Pod } from '../../src/api/core.gen.ts';
import { isReady, nodeName, TestAgent, until } from '../agent.ts';
import { startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { ControlPlane } from '../peers/control-plane.ts';

const steady = ['steady-0', 'steady-1', 'steady-2'];
const rounds = 12;
const minimumMs = Number(process.env.ROSLET_FAULT_MINUTES ?? 0) * 60_000;
const seed = Number(process.env.ROSLET_SEED ?? Date.now() % 1_000_000);
const patienceMs = 120_000;

let plane: ControlPlane;
let containerd: TestContainerd;
let agent: TestAgent;

beforeAll(async () => {
  plane = await ControlPlane.start();
  containerd = await startContainerd('1.6');
  agent = await TestAgent.create({
    args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName)],
    criEndpoint: containerd.endpoint,
    config: 'maxPods: 1000\n',
  });
  await agent.start();
}, 1_800_000);

afterAll(async () => {
  await plane?.kubectl('delete', 'pods', '--all', '--wait=false');
  await until('no pod is left', async () => (await agent.pods()).length === 0, patienceMs);
  expect(await agent?.remove()).toEqual([]);
  await containerd?.stop();
  await plane?.stop();
});

const loop = 'while true; do sleep 0.1; done';
const pod = (name: string, script: string, restartPolicy = 'Always', more: Partial<Container> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName,
    hostNetwork: true,
    restartPolicy,
    terminationGracePeriodSeconds: 1,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      { name: 'main', image: 'docker.io/library/busybox:local', command: ['sh', '-c', script], ...more },
    ],
  },
});

/** A runtime that does not answer must not look like a container that fails. */
const probed: Partial<Container> = {
  livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2 },
};

const found = async (): Promise<Map<string, Pod>> => {
  const { items } = await plane.get<{ items: Pod[] }>('pods');
  return new Map(items.map((item) => [item.metadata?.name ?? '', item]));
};

/** Mulberry32: the same choices again for the same seed. */
function belowFrom(start: number): (limit: number) => number {
  let state = start;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it(`nothing is restarted and nothing is lost (ROSLET_SEED=${seed})`, async () => {
  const below = belowFrom(seed);
  for (const name of steady) await plane.create(pod(name, loop, 'Always', probed));
  await until('all run', async () => [...(await found()).values()].filter(isReady).length === steady.length);
  const before = await found();

  const faults: (() => Promise<void>)[] = [
    async () => {
      await plane.stopPart('kube-apiserver');
      await pause(below(3000));
      await plane.startPart('kube-apiserver');
    },
    async () => {
      plane.signal('kube-apiserver', 'SIGSTOP');
      await pause(below(4000));
      plane.signal('kube-apiserver', 'SIGCONT');
    },
    async () => {
      plane.signal('etcd', 'SIGSTOP');
      await pause(below(4000));
      plane.signal('etcd', 'SIGCONT');
    },
    async () => {
      await plane.stopPart('etcd');
      await plane.startPart('etcd');
    },
    async () => {
      await containerd.freeze();
      await pause(below(5000));
      containerd.thaw();
    },
    async () => {
      await containerd.kill9();
      await pause(below(3000));
      await containerd.restart();
    },
    async () => {
      await agent.stop('SIGKILL');
      await pause(below(1000));
      await agent.start();
    },
  ];
  const wanted = new Map<string, 'Succeeded' | 'Failed' | 'gone'>();
  const startedAt = Date.now();
  let round = 0;
  for (; round < rounds || Date.now() - startedAt < minimumMs; round += 1) {
    const ok = `ok-${round}`;
    const bad = `bad-${round}`;
    const gone = `gone-${round}`;
    const churn = until(
      'the pods of the round are made',
      async () => {
        const there = await found();
        if (!there.has(ok)) await plane.create(pod(ok, `sleep ${below(2)}`, 'Never'));
        if (!there.has(bad)) await plane.create(pod(bad, 'exit 7', 'Never'));
        if (!there.has(gone)) await plane.create(pod(gone, loop));
        return true;
      },
      patienceMs,
    );
    await faults[below(faults.length)]?.();
    await churn;
    await until(
      'one is deleted',
      async () => {
        await plane.kubectl('delete', 'pod', gone, '--wait=false', '--ignore-not-found');
        return true;
      },
      patienceMs,
    );
    wanted.set(ok, 'Succeeded').set(bad, 'Failed').set(gone, 'gone');
  }

  await until(
    'the cluster knows how it all ended',
    async () => {
      const there = await found();
      const wrong = [...wanted].filter(([name, end]) => (there.get(name)?.status?.phase ?? 'gone') !== end);
      if (wrong.length > 0)
        throw new Error(
          wrong
            .map(([name, end]) => `${name} should be ${end}: ${JSON.stringify(there.get(name)?.status)}`)
            .join('\n'),
        );
      return steady.every((name) => isReady(there.get(name) as Pod));
    },
    patienceMs,
  );
  console.log(`${round} faults in ${Math.round((Date.now() - startedAt) / 1000)} s, ${wanted.size} pods`);
  const after = await found();
  for (const name of steady) {
    const [then, now] = [before, after].map((pods) => pods.get(name)?.status?.containerStatuses?.[0]);
    expect(now).toMatchObject({ restartCount: 0, containerID: then?.containerID });
  }
  for (const [name, end] of wanted) {
    if (end === 'gone') continue;
    const ended = after.get(name)?.status?.containerStatuses?.[0];
    expect(ended).toMatchObject({
      restartCount: 0,
      state: { terminated: { exitCode: end === 'Failed' ? 7 : 0 } },
    });
  }
}, 3_600_000);
