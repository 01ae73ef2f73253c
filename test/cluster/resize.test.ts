/** What a pod may use, and how that changes while it runs (`kubectl patch --subresource resize`), on both runtimes. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Container, Event, Node, Pod, PodSpec, ResourceRequirements } from '../../src/api/core.gen.ts';
import { cgroupsBelow, isReady, nodeName, TestAgent, until } from '../agent.ts';
import { startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { hostPod, loop, nodeReady, removePods } from './steps.ts';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await ControlPlane.start();
}, 1_800_000);
afterAll(async () => {
  await plane?.stop();
});

const mebibyte = 2 ** 20;
const of = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});
const small = of('100m', '64Mi');
const large = of('200m', '96Mi');

describe.each(['host processes', 'containerd'])('pods of %s', (runtime) => {
  let agent: TestAgent;
  let containerd: TestContainerd | undefined;
  let shared: string;

  beforeAll(async () => {
    if (runtime === 'containerd') containerd = await startContainerd('1.6');
    const criEndpoint = containerd?.endpoint;
    agent = await TestAgent.create({
      args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName)],
      ...(criEndpoint === undefined ? {} : { criEndpoint }),
    });
    await agent.start();
    await nodeReady(plane);
    shared = join(agent.dir, 'shared');
    await mkdir(shared);
  }, 120_000);
  afterAll(async () => {
    expect(await agent?.remove()).toEqual([]);
    await plane?.kubectl('delete', 'node', nodeName);
    await containerd?.stop();
  });

  afterEach(() => removePods({ plane, agent }, { how: ['--force', '--grace-period=0'] }));

  const containerOf = (name: string, script: string, over: Partial<Container> = {}): Container => ({
    name,
    image: 'docker.io/library/busybox:local',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', script],
    resources: small,
    volumeMounts: [{ name: 'shared', mountPath: shared }],
    ...over,
  });
  const start = async (name: string, spec: Partial<PodSpec> = {}): Promise<Pod> => {
    const volumes = [{ name: 'shared', hostPath: { path: shared } }];
    await plane.create(hostPod(name, loop, { volumes, containers: [containerOf('main', loop)], ...spec }));
    return podUntil(name, 'is ready', isReady);
  };
  const podUntil = (name: string, what: string, holds: (pod: Pod) => boolean): Promise<Pod> =>
    until(`${name} ${what}`, async () => {
      const pod = await plane.get<Pod>('pod', name);
      if (holds(pod)) return pod;
      throw new Error(JSON.stringify(pod.status));
    });
  const resize = (name: string, resources: ResourceRequirements, list = 'containers', container = 'main') =>
    plane.kubectl(
      ...['patch', 'pod', name, '--subresource=resize', '-p'],
      JSON.stringify({ spec: { [list]: [{ name: container, resources }] } }),
    );
  const mainOf = ({ status }: Pod) => status?.containerStatuses?.find(({ name }) => name === 'main');
  const condition = ({ status }: Pod, type: string) => status?.conditions?.find((c) => c.type === type);
  const isResizing = (pod: Pod) =>
    pod.status?.conditions?.some(({ type }) => type.startsWith('PodResize')) === true;
  const has = (resources: ResourceRequirements) => (pod: Pod) =>
    isDeepStrictEqual(mainOf(pod)?.resources, resources) && !isResizing(pod);

  /** What the kernel holds a pod to, or one of its containers: bytes of memory and microseconds of cpu each 100 ms. */
  function limits(pod: Pod, container?: string) {
    const id = pod.status?.containerStatuses
      ?.concat(pod.status.initContainerStatuses ?? [])
      .find(({ name }) => name === container)
      ?.containerID?.replace(/^\w+:\/\//, '');
    const dirs = cgroupsBelow(agent.cgroup).filter((dir) =>
      dir.endsWith(container === undefined ? `/pod${pod.metadata?.uid}` : `/${id}`),
    );
    const read = (...files: string[]): number => {
      for (const path of dirs.flatMap((dir) => files.map((file) => join(dir, file)))) {
        try {
          return Number(readFileSync(path, 'utf8').split(' ')[0]);
        } catch {
          // It is in another hierarchy.
        }
      }
      throw new Error(`no ${files[0]} in ${dirs}`);
    };
    return {
      memory: read('memory.limit_in_bytes', 'memory.max'),
      quota: read('cpu.cfs_quota_us', 'cpu.max'),
    };
  }

  it('get more and less while they run', async () => {
    const before = await start('steady');
    expect(limits(before, 'main')).toEqual({ memory: 64 * mebibyte, quota: 10_000 });
    await resize('steady', large);
    const grown = await podUntil('steady', 'has more', has(large));
    expect(mainOf(grown)).toMatchObject({
      containerID: mainOf(before)?.containerID,
      restartCount: 0,
      allocatedResources: large.requests,
    });
    expect(grown.status?.observedGeneration).toBe(2);
    expect(limits(grown, 'main')).toEqual({ memory: 96 * mebibyte, quota: 20_000 });
    expect(limits(grown)).toEqual({ memory: 96 * mebibyte, quota: 20_000 });
    await until('it is told', async () => {
      const { items } = await plane.get<{ items: Event[] }>(
        'events',
        '--field-selector=involvedObject.name=steady,reason=ResizeCompleted',
      );
      return items.some(({ message }) => message?.includes('"memory":"96Mi"'));
    });
    await resize('steady', small);
    const shrunk = await podUntil('steady', 'has less', has(small));
    expect(limits(shrunk, 'main')).toEqual({ memory: 64 * mebibyte, quota: 10_000 });
    expect(limits(shrunk)).toEqual({ memory: 64 * mebibyte, quota: 10_000 });
    expect(mainOf(shrunk)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
  });

  it('get what they had not asked for, as long as their pod is of the same QoS class', async () => {
    const before = await start('modest', {
      containers: [containerOf('main', loop, { resources: undefined }), containerOf('other', loop)],
    });
    const { requests } = small;
    await resize('modest', { requests });
    await podUntil('modest', 'has its requests', has({ requests }));
    await resize('modest', { requests, limits: { cpu: '200m' } });
    const after = await podUntil('modest', 'has a limit', has({ requests, limits: { cpu: '200m' } }));
    expect(limits(after, 'main').quota).toBe(20_000);
    expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
  });

  it('are started anew for what their policy says, and keep a sidecar that is resized', async () => {
    const pod = await start('both', {
      containers: [
        containerOf('main', loop, {
          resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
        }),
      ],
      initContainers: [containerOf('side', loop, { restartPolicy: 'Always' })],
    });
    const side = ({ status }: Pod) => status?.initContainerStatuses?.[0];
    await resize('both', large, 'initContainers', 'side');
    await podUntil('both', 'has a larger sidecar', (found) => {
      return isDeepStrictEqual(side(found)?.resources, large) && !isResizing(found);
    });
    await resize('both', of('200m', '64Mi'));
    await podUntil('both', 'has more cpu', has(of('200m', '64Mi')));
    await resize('both', large);
    const after = await podUntil('both', 'has more memory', (found) => has(large)(found) && isReady(found));
    expect(mainOf(after)).toMatchObject({ restartCount: 1 });
    expect(side(after)).toMatchObject({ restartCount: 0, containerID: side(pod)?.containerID });
    expect(limits(after, 'main')).toEqual({ memory: 96 * mebibyte, quota: 20_000 });
    expect(limits(after, 'side')).toEqual({ memory: 96 * mebibyte, quota: 20_000 });
    expect(limits(after)).toEqual({ memory: 192 * mebibyte, quota: 40_000 });
  });

  it('wait for room that others have, also over a restart of the agent, and never for what the node lacks', async () => {
    const { status } = await plane.get<Node>('node', nodeName);
    const cpus = Number(status?.allocatable?.cpu);
    await start('other', {
      containers: [containerOf('main', loop, { resources: { requests: { cpu: `${cpus * 1000 - 150}m` } } })],
    });
    const before = await start('waiting');
    await resize('waiting', of('500m', '64Mi'));
    const pending = await podUntil(
      'waiting',
      'is deferred',
      (pod) => condition(pod, 'PodResizePending')?.reason === 'Deferred',
    );
    expect(condition(pending, 'PodResizePending')).toMatchObject({
      status: 'True',
      observedGeneration: 2,
      message: expect.stringContaining("Node didn't have enough resource: cpu"),
    });
    expect(mainOf(pending)).toMatchObject({ allocatedResources: small.requests, resources: small });
    await resize('waiting', of(`${cpus + 1}`, '64Mi'));
    const infeasible = await podUntil(
      'waiting',
      'is infeasible',
      (pod) => condition(pod, 'PodResizePending')?.reason === 'Infeasible',
    );
    expect(condition(infeasible, 'PodResizePending')).toMatchObject({ observedGeneration: 3 });
    await resize('waiting', of('600m', '64Mi'));
    await podUntil(
      'waiting',
      'is deferred again',
      (pod) => condition(pod, 'PodResizePending')?.observedGeneration === 4,
    );
    await agent.stop('SIGKILL');
    await agent.start();
    await until('the new agent has the pods', async () => (await agent.pods()).length === 2);
    expect(mainOf(await plane.get<Pod>('pod', 'waiting'))?.allocatedResources).toEqual(small.requests);
    expect(limits(before, 'main').quota).toBe(10_000);
    await plane.kubectl('delete', 'pod', 'other', '--wait=false');
    const after = await podUntil('waiting', 'has its room', has(of('600m', '64Mi')));
    expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
    expect(limits(after, 'main').quota).toBe(60_000);
  });

  it('keep memory that is in use, and lose its limit when it is free', async () => {
    const free = join(shared, 'free');
    const hold = `(x=$(head -c 40000000 /dev/zero | tr '\\0' x); touch ${shared}/held; until [ -e ${free} ]; do sleep 0.1; done)`;
    const before = await start('hungry', {
      containers: [
        containerOf('main', `${hold}; ${loop}`, {
          resources: of('200m', '192Mi'),
          readinessProbe: { exec: { command: ['test', '-e', `${shared}/held`] }, periodSeconds: 1 },
        }),
      ],
    });
    await resize('hungry', of('200m', '24Mi'));
    const failing = await podUntil(
      'hungry',
      'is told why',
      (pod) => condition(pod, 'PodResizeInProgress')?.reason === 'Error',
    );
    expect(condition(failing, 'PodResizeInProgress')).toMatchObject({
      observedGeneration: 2,
      message: expect.stringMatching(/^cannot decrease memory limits: .*pod memory limit \(25165824\) below/),
    });
    expect(mainOf(failing)).toMatchObject({
      allocatedResources: { memory: '24Mi' },
      resources: { limits: { memory: '192Mi' } },
    });
    expect(limits(failing, 'main').memory).toBe(192 * mebibyte);
    await writeFile(free, '');
    const after = await podUntil('hungry', 'has less', has(of('200m', '24Mi')));
    expect(limits(after, 'main').memory).toBe(24 * mebibyte);
    expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
  });

  it('share what their pod has as a whole, where they have no limit of their own', async () => {
    const pod = await start('whole', {
      resources: of('300m', '128Mi'),
      containers: [
        containerOf('main', loop, { resources: undefined }),
        containerOf('bounded', loop, { resources: small }),
      ],
    });
    expect(pod.status?.qosClass).toBe('Guaranteed');
    const whole = { memory: 128 * mebibyte, quota: 30_000 };
    expect(limits(pod)).toEqual(whole);
    expect(limits(pod, 'main')).toEqual(whole);
    expect(limits(pod, 'bounded')).toEqual({ memory: 64 * mebibyte, quota: 10_000 });
  });
});
