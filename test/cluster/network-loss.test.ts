/**
 * A robot out of radio range: every packet between the node and the API server is lost, for hours by the agent's clock: the
 * cluster gives the node up, evicts what may be evicted, forgets what it could have gone on watching from, and a token runs
 * out. The agent goes on meanwhile; on return all is
 * as the cluster wants it by then, within seconds, though nobody ever told that the connections are dead.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Node, Pod, PodSpec } from '../../src/api/core.gen.ts';
import { isReady, nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { type LossyWay, lossyWay } from '../peers/lossy-way.ts';
import { type Expectation, podsOf, untilShown } from './account.ts';
import { hostPod, loop, nodeReady, removePods } from './steps.ts';

const tokenSeconds = 600;
/** Hours: what is kept for minutes or for an hour has run out. */
const lostSeconds = 6 * 3600;
const patienceMs = 90_000;
const stack = new AsyncDisposableStack();
let way: LossyWay;
let plane: ControlPlane;
let agent: TestAgent;
let clock: string;

beforeAll(async () => {
  way = await lossyWay();
  stack.defer(() => way.remove());
  plane = await ControlPlane.start({
    address: way.ip,
    flags: {
      'kube-apiserver': [
        ...['not-ready', 'unreachable'].map((why) => `--default-${why}-toleration-seconds=2`),
        // What was there before the loss is forgotten, as it is after hours.
        '--etcd-compaction-interval=2s',
      ],
      'kube-controller-manager': ['--node-monitor-period=1s', '--node-monitor-grace-period=20s'],
    },
  });
  stack.defer(() => plane.stop());
  const neighbour = await otherNode();
  stack.defer(() => neighbour.stop());
  agent = await TestAgent.create({
    config: 'nodeLeaseDurationSeconds: 8\nsyncFrequency: 2s\n',
    args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName)],
    through: way.through,
    env: fakeTime(),
  });
  stack.defer(async () => {
    way.mend();
    await agent.unapply('static.yaml');
    await removePods({ plane, agent }, { timeoutMs: patienceMs });
    expect(await agent.remove()).toEqual([]);
  });
  await agent.start();
  await nodeReady(plane, patienceMs);
}, 1_800_000);

afterAll(() => stack.disposeAsync(), 300_000);

/** The clock of the agent is set by a file, as no token lives less than ten minutes. */
function fakeTime(): Record<string, string> {
  const preload = ['x86_64', 'aarch64']
    .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
    .find((file) => existsSync(file));
  expect(preload, 'libfaketime is part of the test set-up').toBeDefined();
  clock = join(plane.dir, 'clock');
  writeFileSync(clock, '+0s');
  return {
    LD_PRELOAD: preload!,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** One that is well: a cluster whose every node is lost thinks that it is lost itself, and evicts nobody. */
async function otherNode(): Promise<{ stop(): Promise<void> }> {
  await plane.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'neighbour' } });
  const ending = new AbortController();
  const beat = async () => {
    const lastHeartbeatTime = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', reason: 'Test', message: '', lastHeartbeatTime };
    const patch = JSON.stringify({ status: { conditions: [ready] } });
    await plane.kubectl('patch', 'node', 'neighbour', '--subresource=status', '-p', patch);
  };
  await beat();
  const beating = (async () => {
    while (!ending.signal.aborted) {
      // On a machine that is too busy for one the next makes it good.
      await beat().catch(() => undefined);
      await sleep(1000, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      ending.abort();
      await beating;
    },
  };
}

const node = () => plane.get<Node>('node', nodeName);
const readyOf = ({ status }: Node) => status?.conditions?.find(({ type }) => type === 'Ready');
const lease = () => plane.get<{ spec: { renewTime: string } }>('lease', nodeName, '-n', 'kube-node-lease');
const mainOf = (pod?: Pod) => pod?.status?.containerStatuses?.[0];
const file = (name: string) => join(agent.dir, name);

const podOf = (name: string, script: string, spec: Partial<PodSpec> = {}, metadata: object = {}): Pod =>
  hostPod(name, script, { terminationGracePeriodSeconds: 10, ...spec }, metadata);
const tolerating = { nodeName, tolerations: [{ operator: 'Exists' }] };
const kept = { finalizers: ['example.com/look'] };

const shows = (what: string, ...expectations: Expectation[]) =>
  untilShown(what, { plane, agent }, expectations, patienceMs);
const is = (pod: string, should: string, holds: (pod: Pod) => boolean): Expectation => ({
  pod,
  should,
  holds: (found) => found !== undefined && holds(found),
});
const ready = (...pods: string[]) => pods.map((pod) => is(pod, 'ready', isReady));

it('is survived by the pods and by what the cluster knows of them', async () => {
  const token = file('token');
  const reading = podOf(
    'reader',
    `while true; do cat /tokens/token >${token}.new && mv ${token}.new ${token}; sleep 0.2; done`,
    {
      ...tolerating,
      volumes: [
        {
          name: 'tokens',
          projected: {
            sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: tokenSeconds } }],
          },
        },
      ],
    },
  );
  reading.spec!.containers[0]!.volumeMounts = [{ name: 'tokens', mountPath: '/tokens' }];
  await plane.create(reading);
  const [go, crashed] = [file('go'), file('crashed')];
  const crash = `[ -e ${crashed} ] || { until [ -e ${go} ]; do sleep 0.1; done; touch ${crashed}; exit 3; }`;
  await plane.create(podOf('crashing', `${crash}; ${loop}`, tolerating));
  await plane.create(
    podOf('ends', `until [ -e ${go} ]; do sleep 0.1; done`, { ...tolerating, restartPolicy: 'Never' }),
  );
  const term = `trap 'echo term >>${file('evicted')}; exit 0' TERM; ${loop}`;
  await plane.create(podOf('evicted', term, { nodeName }, kept));
  await agent.apply('static.yaml', JSON.stringify(podOf('static', loop)));
  const mirror = `static-${nodeName}`;
  const before = await shows('all run', ...ready('reader', 'crashing', 'ends', 'evicted', mirror));
  const firstToken = await until(
    'the token was read',
    () => existsSync(token) && readFileSync(token, 'utf8'),
  );
  const firstRenewal = (await lease()).spec.renewTime;

  way.cut();
  writeFileSync(clock, `+${lostSeconds}s`);
  writeFileSync(go, '');
  await agent.podUntil('crashing', 'was restarted', (pod) => mainOf(pod)?.restartCount === 1 && isReady(pod));
  await agent.podUntil('ends', 'has ended', ({ status }) => status?.phase === 'Succeeded');
  await until(
    'the cluster gives the node up',
    async () => readyOf(await node())?.status === 'Unknown',
    patienceMs,
  );
  await shows(
    'what may be evicted is',
    is('evicted', 'deleted', ({ metadata }) => metadata?.deletionTimestamp !== undefined),
  );
  await plane.create(podOf('meanwhile', loop, tolerating));
  await until('the agent is at a loss', () => /cannot be asked/.test(agent.log), patienceMs);
  const lost = await podsOf(plane);
  for (const name of ['reader', 'crashing', 'ends', mirror])
    expect(lost.get(name)?.metadata?.deletionTimestamp, name).toBeUndefined();
  expect(isReady((await agent.pod('evicted'))!)).toBe(true);
  expect(readFileSync(token, 'utf8')).toBe(firstToken);

  way.mend();
  const mendedAt = performance.now();
  const after = (what: string) => console.log(`${what} ${Math.round(performance.now() - mendedAt)} ms after`);
  await until('the node is ready again', async () => isReady(await node()), patienceMs);
  after('ready');
  const back = await shows(
    'all is as the cluster wants it',
    ...ready('reader', 'crashing', 'meanwhile', mirror),
    is('ends', 'Succeeded', ({ status }) => status?.phase === 'Succeeded'),
    is('evicted', 'ended', ({ status }) => /Succeeded|Failed/.test(status?.phase ?? '')),
  );
  after('all as wanted');
  expect(readFileSync(file('evicted'), 'utf8')).toBe('term\n');
  const { status } = back.get('evicted')!;
  expect(status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'DisruptionTarget', reason: 'DeletionByTaintManager' }),
  );
  expect(mainOf(back.get('evicted'))).toMatchObject({
    restartCount: 0,
    state: { terminated: { exitCode: 0 } },
  });
  await plane.kubectl('patch', 'pod', 'evicted', '-p', '{"metadata":{"finalizers":null}}');
  for (const name of ['reader', mirror]) {
    expect(back.get(name)?.metadata?.uid).toBe(before.get(name)?.metadata?.uid);
    expect(mainOf(back.get(name))).toMatchObject({
      restartCount: 0,
      containerID: mainOf(before.get(name))?.containerID,
    });
  }
  expect(mainOf(back.get('crashing'))?.restartCount).toBe(1);
  await until('its taints are gone', async () => (await node()).spec?.taints === undefined, patienceMs);
  await until('the lease is renewed', async () => (await lease()).spec.renewTime !== firstRenewal);
  const nextToken = await until(
    'there is another token',
    () => {
      const now = readFileSync(token, 'utf8');
      return now !== firstToken && now;
    },
    patienceMs,
  );
  after('another token');
  const review = await plane.create<{ status: { authenticated?: boolean } }>({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: nextToken },
  });
  expect(review.status.authenticated).toBe(true);
}, 600_000);
