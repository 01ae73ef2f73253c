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
import { type Expectation, podsOf, untilShown } from './account.ts';
import { hostPod, loop, removePods } from './steps.ts';

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
  await removePods({ plane, agent }, { timeoutMs: patienceMs });
  expect(await agent?.remove()).toEqual([]);
  await containerd?.stop();
  await plane?.stop();
});

const pod = (name: string, script: string, restartPolicy = 'Always', more: Partial<Container> = {}): Pod =>
  hostPod(name, script, {
    nodeName,
    restartPolicy,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      { name: 'main', image: 'docker.io/library/busybox:local', command: ['sh', '-c', script], ...more },
    ],
  });

/** A runtime that does not answer must not look like a container that fails. */
const probed: Partial<Container> = {
  livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2 },
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
  /** What was done, for a failure to tell. */
  const history: string[] = [];
  const shows = (what: string, expectations: Expectation[]) =>
    untilShown(what, { plane, agent, containerd }, expectations, patienceMs, () => history);
  const steadyAreReady = steady.map((name) => ({
    pod: name,
    should: 'ready',
    holds: (found?: Pod) => found !== undefined && isReady(found),
  }));
  for (const name of steady) await plane.create(pod(name, loop, 'Always', probed));
  const before = await shows('all run', steadyAreReady);

  const faults: Record<string, (ms: number) => Promise<void>> = {
    'kube-apiserver killed': async (ms) => {
      await plane.stopPart('kube-apiserver');
      await pause(ms);
      await plane.startPart('kube-apiserver');
    },
    'kube-apiserver stopped': async (ms) => {
      plane.signal('kube-apiserver', 'SIGSTOP');
      await pause(ms);
      plane.signal('kube-apiserver', 'SIGCONT');
    },
    'etcd stopped': async (ms) => {
      plane.signal('etcd', 'SIGSTOP');
      await pause(ms);
      plane.signal('etcd', 'SIGCONT');
    },
    'etcd killed': async () => {
      await plane.stopPart('etcd');
      await plane.startPart('etcd');
    },
    'containerd stopped': async (ms) => {
      await containerd.freeze();
      await pause(ms);
      containerd.thaw();
    },
    'containerd killed': async (ms) => {
      await containerd.kill9();
      await pause(ms);
      await containerd.restart();
    },
    'the agent killed': async (ms) => {
      await agent.stop('SIGKILL');
      await pause(ms);
      await agent.start();
    },
  };
  const ends: Expectation[] = [];
  const endsAs = (name: string, phase: string, exitCode: number) =>
    ends.push({
      pod: name,
      should: `${phase}, after one run that ended with ${exitCode}`,
      holds: (found) => {
        const { restartCount, state } = found?.status?.containerStatuses?.[0] ?? {};
        return (
          found?.status?.phase === phase && restartCount === 0 && state?.terminated?.exitCode === exitCode
        );
      },
    });
  const startedAt = Date.now();
  let round = 0;
  for (; round < rounds || Date.now() - startedAt < minimumMs; round += 1) {
    const ok = `ok-${round}`;
    const bad = `bad-${round}`;
    const gone = `gone-${round}`;
    // All at once: what is asked in between depends on how things go.
    const [lasts, which, ms] = [below(2), below(Object.keys(faults).length), below(5000)];
    const churn = until(
      'the pods of the round are made',
      async () => {
        const there = await podsOf(plane);
        if (!there.has(ok)) await plane.create(pod(ok, `sleep ${lasts}`, 'Never'));
        if (!there.has(bad)) await plane.create(pod(bad, 'exit 7', 'Never'));
        if (!there.has(gone)) await plane.create(pod(gone, loop));
        return true;
      },
      patienceMs,
    );
    const [name, fault] = Object.entries(faults)[which]!;
    history.push(`round ${round}: ${name} for ${ms} ms from ${new Date().toISOString()}`);
    await fault(ms);
    await churn;
    await until(
      'one is deleted',
      async () => {
        await plane.kubectl('delete', 'pod', gone, '--wait=false', '--ignore-not-found');
        return true;
      },
      patienceMs,
    );
    endsAs(ok, 'Succeeded', 0);
    endsAs(bad, 'Failed', 7);
    ends.push({ pod: gone, should: 'gone', holds: (found) => found === undefined });
  }

  const after = await shows('the cluster knows how it all ended', [...ends, ...steadyAreReady]);
  console.log(`${round} faults in ${Math.round((Date.now() - startedAt) / 1000)} s, ${ends.length} pods`);
  for (const name of steady) {
    const [then, now] = [before, after].map((pods) => pods.get(name)?.status?.containerStatuses?.[0]);
    expect(now).toMatchObject({ restartCount: 0, containerID: then?.containerID });
  }
}, 3_600_000);
