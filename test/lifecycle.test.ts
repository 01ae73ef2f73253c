/**
 * How far pods are brought up: the states of managed nodes without ROS, over the command line and the socket. What is
 * asked for is desired state: it survives the agent, and never fights with what Kubernetes wants.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../src/api/core.gen.ts';
import type { PodLifecycleView } from '../src/server/agent-view.ts';
import { isReady, TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';

let containerd: TestContainerd;
beforeAll(async () => {
  containerd = await startContainerd('1.6');
});
afterAll(async () => {
  await containerd.stop();
});

const runtimes = [
  {
    name: 'host processes',
    spec: 'runtimeClassName: host-process, hostNetwork: true',
    endpoint: () => undefined,
  },
  { name: 'containerd', spec: 'hostNetwork: true', endpoint: () => containerd.endpoint },
];

let agent: TestAgent;
afterEach(async () => {
  expect(await agent.remove()).toEqual([]);
});

const manifest = (
  name: string,
  command: string,
  { annotations = '', spec = runtimes[0]!.spec, container = '' } = {},
): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: {${annotations}}}
spec: {terminationGracePeriodSeconds: 1, ${spec}, containers: [{name: main, ${container}image: 'docker.io/library/busybox:local', command: [sh, -c, ${JSON.stringify(command)}]}]}
`;
const manual = `'roslet.dev/autostart': 'false'`;
const neverReady = 'readinessProbe: {exec: {command: ["false"]}}, ';
const waiting = (pod: Pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
const lifecycle = async (name: string): Promise<PodLifecycleView | undefined> => {
  const { items } = JSON.parse(await agent.get('/lifecycle')) as { items: PodLifecycleView[] };
  return items.find((each) => each.name === name || each.name === `${name}-robot`);
};
const inState = (name: string, state: string) =>
  until(`${name} is ${state}`, async () => (await lifecycle(name))?.state === state);
const created = async (text: string): Promise<void> => {
  const file = join(agent.dir, 'pod.yaml');
  await writeFile(file, text);
  await agent.cli('apply', '-f', file);
};

describe.each(runtimes)('a pod of $name that is not started by itself', ({ endpoint, spec }) => {
  beforeEach(async () => {
    const criEndpoint = endpoint();
    agent = await TestAgent.create(criEndpoint === undefined ? {} : { criEndpoint });
    await agent.start();
  });

  it('goes through all states', async () => {
    await created(manifest('a', 'echo started; exec sleep 1000', { annotations: manual, spec }));
    await inState('a', 'unconfigured');
    expect(waiting((await agent.pod('a'))!)).toBe('Unconfigured');
    expect(await agent.cli('pods')).toMatch(/a +0\/1 +Unconfigured +0/);
    expect(agent.leftovers().filter((each) => !each.includes('pod-records'))).toEqual([]);

    expect(await agent.cli('lifecycle', 'a', 'configure')).toBe('inactive\n');
    const configured = (await agent.pod('a'))!;
    expect(configured.status?.phase).toBe('Pending');
    expect(waiting(configured)).toBe('Inactive');
    expect(configured.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'PodReadyToStartContainers', status: 'True' }),
    );

    expect(await agent.cli('lifecycle', 'a', 'activate')).toBe('active\n');
    expect(isReady((await agent.pod('a'))!)).toBe(true);
    expect(await agent.cli('logs', 'a')).toBe('started\n');

    expect(await agent.cli('lifecycle', 'a', 'deactivate')).toBe('inactive\n');
    const deactivated = (await agent.pod('a'))!;
    expect(waiting(deactivated)).toBe('Inactive');
    expect(deactivated.status?.containerStatuses?.[0]?.lastState?.terminated).toBeDefined();

    expect(await agent.cli('lifecycle', 'a', 'activate')).toBe('active\n');
    const again = (await agent.pod('a'))!;
    // It was wanted so: no crash, no back-off.
    expect(again.status?.containerStatuses?.[0]?.restartCount).toBe(0);

    expect(await agent.cli('lifecycle', 'a', 'deactivate')).toBe('inactive\n');
    expect(await agent.cli('lifecycle', 'a', 'cleanup')).toBe('unconfigured\n');
    expect(agent.leftovers().filter((each) => !each.includes('pod-records'))).toEqual([]);

    await agent.cli('lifecycle', 'a', 'shutdown');
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });
});

describe('the state of a pod', () => {
  beforeEach(async () => {
    agent = await TestAgent.create();
    await agent.start();
  });

  it('is told by describe, and only possible changes are made', async () => {
    await created(manifest('a', 'exec sleep 1000', { annotations: manual }));
    await inState('a', 'unconfigured');
    expect(await agent.cli('describe', 'a')).toMatch(/Lifecycle: +unconfigured/);
    const { code, output } = await agent.tryCli('lifecycle', 'a', 'activate');
    expect(code).toBe(1);
    expect(output).toContain('activate is not possible: the pod is unconfigured');
    expect((await agent.tryCli('lifecycle', 'a', 'start')).output).toContain('configure, cleanup, activate');
  });

  it('survives the agent, and is not undone by it', async () => {
    await agent.apply('a.yaml', manifest('a', 'exec sleep 1000'));
    await agent.ready('a');
    await agent.cli('lifecycle', 'a-robot', 'deactivate');
    const uid = (await agent.pod('a'))?.metadata?.uid;
    await agent.stop('SIGKILL');
    await agent.start();
    await inState('a', 'inactive');
    // A changed manifest is the same pod where it can be changed in place.
    await agent.apply('a.yaml', manifest('a', 'exec sleep 2000'));
    await until('the change is taken', async () =>
      (await agent.pod('a'))?.spec?.containers[0]?.command?.includes('exec sleep 2000'),
    );
    expect((await agent.pod('a'))?.metadata?.uid).toBe(uid);
    expect((await lifecycle('a'))?.state).toBe('inactive');
    await agent.cli('lifecycle', 'a-robot', 'activate');
    // Another pod of the name starts as it says itself.
    await agent.cli('lifecycle', 'a-robot', 'deactivate');
    await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
    await agent.apply('a.yaml', manifest('a', 'exec sleep 2000'));
    await agent.ready('a');
  });

  it('is finalized when a static pod is shut down, until its manifest changes', async () => {
    await agent.apply('a.yaml', manifest('a', 'exec sleep 1000'));
    await agent.ready('a');
    expect(await agent.cli('lifecycle', 'a-robot', 'shutdown')).toBe('finalized\n');
    expect(await agent.cli('pods')).toMatch(/a-robot +0\/1/);
    expect((await agent.pod('a'))?.status).toMatchObject({ phase: 'Succeeded', reason: 'Shutdown' });
    await agent.stop('SIGKILL');
    await agent.start();
    await inState('a', 'finalized');
    await agent.apply('a.yaml', manifest('a', 'exec sleep 2000'));
    await agent.ready('a');
  });

  it('fails to be active when the pod does not come up, says why, and is undone', async () => {
    await created(manifest('a', 'exit 3', { annotations: manual, container: neverReady }));
    await inState('a', 'unconfigured');
    await agent.cli('lifecycle', 'a', 'configure');
    const { code, output } = await agent.tryCli('lifecycle', 'a', 'activate');
    expect(code).toBe(1);
    expect(output).toContain('CrashLoopBackOff');
    expect((await lifecycle('a'))?.state).toBe('unconfigured');
    expect(agent.leftovers().filter((each) => !each.includes('pod-records'))).toEqual([]);
  });

  it('fails when it takes longer than the pod allows', async () => {
    const annotations = `${manual}, 'roslet.dev/transition-timeout': 1s, 'roslet.dev/after': topic /map`;
    await created(manifest('a', 'exec sleep 1000', { annotations }));
    await inState('a', 'unconfigured');
    await agent.cli('lifecycle', 'a', 'configure');
    const { output } = await agent.tryCli('lifecycle', 'a', 'activate');
    expect(output).toContain(
      'not done after 1 s: waits for topic /map (it is not known: the ROS 2 bridge is off)',
    );
    expect((await lifecycle('a'))?.state).toBe('unconfigured');
  });

  it('is changed by one at a time, and deletion goes first', async () => {
    const annotations = `${manual}, 'roslet.dev/after': topic /map`;
    await created(manifest('a', 'exec sleep 1000', { annotations }));
    await inState('a', 'unconfigured');
    await agent.cli('lifecycle', 'a', 'configure');
    const activation = agent.tryCli('lifecycle', 'a', 'activate');
    await inState('a', 'activating');
    expect((await agent.tryCli('lifecycle', 'a', 'shutdown')).output).toContain(
      'shutdown is not possible: the pod is activating',
    );
    await agent.cli('delete', 'a');
    expect((await activation).output).toContain('the pod ended');
  });

  it('of a pod that does not fit is no matter until it is configured', async () => {
    const ports = 'ports: [{containerPort: 4711, hostPort: 4711}], ';
    const pod = (name: string, annotations: string) =>
      manifest(name, 'exec sleep 1000', { annotations, container: ports });
    await created(pod('a', ''));
    await agent.ready('a');
    await created(pod('b', manual));
    await inState('b', 'unconfigured');
    expect((await agent.tryCli('lifecycle', 'b', 'configure')).output).toContain(
      'TCP 4711 is taken by default/a',
    );
    await agent.cli('delete', 'a');
    await agent.cli('lifecycle', 'b', 'configure');
    await created(pod('c', ''));
    await agent.podUntil('c', 'is refused', (p) => p.status?.phase === 'Failed');
  });
});

describe('start order', () => {
  beforeEach(async () => {
    agent = await TestAgent.create();
    await agent.start();
  });

  it('waits for other pods, and says so everywhere', async () => {
    const log = join(agent.dir, 'order');
    const annotations = `'roslet.dev/after': pod/first`;
    await agent.apply(
      '2.yaml',
      manifest('second', `echo second >> ${log}; exec sleep 1000`, { annotations }),
    );
    const pod = await agent.podUntil('second', 'waits', (p) => waiting(p) === 'StartConditionUnmet');
    expect(pod.status?.phase).toBe('Pending');
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe(
      'waits for pod/first active (there is no such pod on this node)',
    );
    expect(await agent.cli('describe', 'second-robot')).toMatch(/Waits For: +pod\/first active/);
    expect((await agent.events()).find((e) => e.reason === 'StartConditionUnmet')?.message).toContain(
      'pod/first',
    );
    expect((await lifecycle('second'))?.state).toBe('inactive');
    const probe = `echo first >> ${log}; exec sleep 1000`;
    await agent.apply('1.yaml', manifest('first', probe));
    await agent.ready('second');
    // Ready is what runs: its shell may not have come to that line yet.
    await until('both have started', async () => (await readFile(log, 'utf8')) === 'first\nsecond\n');
    // What has started once goes on without the other, also after the agent was restarted.
    await agent.unapply('1.yaml');
    await agent.stop('SIGKILL');
    await agent.start();
    await inState('second', 'active');
    expect(await readFile(log, 'utf8')).toBe('first\nsecond\n');
  });

  it('is kept again when all of the pods are gone at once, as after a power cut', async () => {
    const log = join(agent.dir, 'order');
    const isUp = join(agent.dir, 'up');
    const container = `readinessProbe: {periodSeconds: 1, exec: {command: [test, -e, ${isUp}]}}, `;
    await writeFile(isUp, '');
    await agent.apply('1.yaml', manifest('first', `echo first >> ${log}; exec sleep 1000`, { container }));
    const annotations = `'roslet.dev/after': pod/first`;
    const second = `echo second >> ${log}; exec sleep 1000`;
    await agent.apply('2.yaml', manifest('second', second, { annotations }));
    await agent.ready('second');
    await agent.stop('SIGKILL');
    await agent.killPods();
    await rm(isUp);
    await agent.start();
    await until('the first runs', async () => (await readFile(log, 'utf8')).endsWith('second\nfirst\n'));
    await agent.podUntil('second', 'waits', (p) => waiting(p) === 'StartConditionUnmet');
    await writeFile(isUp, '');
    await agent.ready('second');
    expect(await readFile(log, 'utf8')).toBe('first\nsecond\nfirst\nsecond\n');
  });

  it('refuses pods that would wait for each other', async () => {
    await agent.apply(
      '1.yaml',
      manifest('a', 'exec sleep 1000', { annotations: `'roslet.dev/after': pod/b` }),
    );
    await agent.podUntil('a', 'waits', (p) => waiting(p) === 'StartConditionUnmet');
    await agent.apply(
      '2.yaml',
      manifest('b', 'exec sleep 1000', { annotations: `'roslet.dev/after': pod/a` }),
    );
    const pod = await agent.podUntil('b', 'is refused', (p) => p.status?.phase === 'Failed');
    expect(pod.status).toMatchObject({
      reason: 'StartOrderCycle',
      message:
        'Pod was rejected: roslet.dev/after: these pods would wait for each other: default/b-robot after default/a-robot after default/b-robot',
    });
    await agent.apply('1.yaml', manifest('a', 'exec sleep 1000'));
    await agent.ready('b');
  });
});
