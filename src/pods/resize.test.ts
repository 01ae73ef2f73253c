import { describe, expect, it } from 'vitest';
import type { Container, Pod, ResourceRequirements } from '../api/core.gen.ts';
import type { NodeAdmissionContext } from './admission.ts';
import {
  compareResizes,
  isWhollyApplied,
  judgeResize,
  memoryTooSmall,
  podAtMost,
  podInForce,
  resizedTo,
  resizeOf,
  resourcesAnnotation,
  resourcesText,
  withApplied,
  withResourcesOf,
} from './resize.ts';
import { testActual, testContainer, testPod, testSandbox } from './testing.ts';

const of = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});
const small = of('100m', '64Mi');
const large = of('200m', '128Mi');
const containerOf = (resources?: ResourceRequirements, over: Partial<Container> = {}): Container => ({
  name: 'a',
  image: 'i',
  ...(resources && { resources }),
  ...over,
});
const podOf = (resources?: ResourceRequirements, metadata: Pod['metadata'] = {}): Pod =>
  testPod({ containers: [containerOf(resources)] }, metadata);
const madeWith = (resources: ResourceRequirements, state: 'running' | 'exited' = 'running', name = 'a') =>
  testContainer(name, state, { annotations: { [resourcesAnnotation]: resourcesText({ resources }) } });
const holding = (...containers: ReturnType<typeof madeWith>[]) => testActual([testSandbox()], containers);
const resourcesIn = (pod: Pod) => pod.spec?.containers.map(({ resources }) => resources);

describe('the resources of another state of a pod', () => {
  it('replace those of containers and sidecars, and nothing else', () => {
    const sidecar = { name: 's', image: 'i', restartPolicy: 'Always' };
    const init = { name: 'i', image: 'i' };
    const wanted = testPod({
      containers: [containerOf(large, { image: 'newer' })],
      initContainers: [
        { ...sidecar, resources: large },
        { ...init, resources: large },
      ],
    });
    const allocated = testPod({
      containers: [containerOf(small)],
      initContainers: [
        { ...sidecar, resources: small },
        { ...init, resources: small },
      ],
    });
    expect(withResourcesOf(wanted, allocated).spec).toMatchObject({
      containers: [{ image: 'newer', resources: small }],
      initContainers: [{ resources: small }, { resources: large }],
    });
  });

  it('lead from what was allocated to what is desired, also where nothing was asked for', () => {
    const requests = { cpu: '100m', memory: '64Mi' };
    for (const [allocated, desired] of [
      [{}, { requests }],
      [{ requests }, { requests, limits: { cpu: '200m' } }],
      [small, large],
    ] as const) {
      expect(withResourcesOf(podOf(desired), podOf(allocated))).toEqual(podOf(allocated));
      expect(resizedTo(podOf(allocated), podOf(desired))).toEqual(podOf(desired));
    }
  });

  it('need another container where something was asked for and is not any more', () => {
    const fewer = { requests: small.requests };
    expect(withResourcesOf(podOf(fewer), podOf(small))).toEqual(podOf(fewer));
    expect(resizedTo(podOf(small), podOf(fewer))).toEqual(podOf(small));
  });

  it('are the same however they are written', () => {
    const pod = podOf(of('0.1', '65536Ki'));
    expect(withResourcesOf(pod, podOf(small))).toBe(pod);
  });
});

describe('what a running container needs', () => {
  const restart = (resourceName: string) => ({
    resizePolicy: [{ resourceName, restartPolicy: 'RestartContainer' }],
  });
  it.each<[string, Container, ResourceRequirements, ReturnType<typeof resizeOf>]>([
    ['nothing when it has what is allocated', containerOf(small), small, 'none'],
    ['an update when it has other limits', containerOf(large), small, 'update'],
    ['an update for less, too', containerOf(small), large, 'update'],
    ['a start for a resource whose policy says so', containerOf(large, restart('memory')), small, 'restart'],
    [
      'an update where the policy is for what did not change',
      containerOf(of('200m', '64Mi'), restart('memory')),
      small,
      'update',
    ],
    ['an update where a limit is new', containerOf(small), { requests: small.requests }, 'update'],
  ])('is %s', (_, container, applied, expected) => {
    expect(resizeOf(container, madeWith(applied))).toBe(expected);
  });

  it('is nothing where nobody knows what it has', () => {
    expect(resizeOf(containerOf(large), testContainer('a', 'running'))).toBe('none');
  });

  it('is known after an update, too', () => {
    const actual = withApplied(holding(madeWith(small)), {
      applied: { a0: resourcesText({ resources: large }) },
    });
    expect(isWhollyApplied(podOf(large), actual)).toBe(true);
    expect(isWhollyApplied(podOf(large), holding(madeWith(small)))).toBe(false);
    expect(isWhollyApplied(podOf(large), holding(madeWith(small, 'exited')))).toBe(true);
  });
});

describe('a pod in the course of a resize', () => {
  it('has in force what is applied to what runs', () => {
    expect(resourcesIn(podInForce(podOf(large), holding(madeWith(small))))).toEqual([small]);
    expect(resourcesIn(podInForce(podOf(large), holding(madeWith(small, 'exited'))))).toEqual([large]);
  });

  it('holds the larger of both requests of the node', () => {
    const actual = holding(madeWith(of('100m', '128Mi')));
    const [resources] = resourcesIn(podAtMost(podOf(of('200m', '64Mi')), actual)) ?? [];
    expect(resources?.requests).toEqual({ cpu: '200m', memory: '128Mi' });
  });
});

const node: NodeAdmissionContext = {
  name: 'robot',
  labels: {},
  taints: [],
  allocatable: { cpu: 1000, memory: 1024 * 2 ** 20, pods: 10 },
  runtimeHandlers: [''],
  hasContainerRuntime: false,
  cannotLimitGroups: () => false,
  handlerOf: ({ spec }) => spec?.runtimeClassName ?? '',
  allowedUnsafeSysctls: [],
  pressures: [],
  shuttingDown: false,
  lacksAppArmor: () => false,
  hasRosBridge: false,
};

describe('a resize', () => {
  const other = podOf(of('700m', '64Mi'), { uid: 'other', name: 'other' });
  it.each<[string, Pod, Pod[], ReturnType<typeof judgeResize>]>([
    ['is allocated where there is room', podOf(large), [], 'allocate'],
    ['does not count the pod itself twice', podOf(of('900m', '64Mi')), [podOf(small)], 'allocate'],
    [
      'waits for room that others have',
      podOf(of('400m', '64Mi')),
      [other],
      {
        reason: 'Deferred',
        message: "Node didn't have enough resource: cpu, requested: 400, used: 700, capacity: 1000",
      },
    ],
    [
      'can never be where the node is too small',
      podOf(of('1100m', '64Mi')),
      [other],
      {
        reason: 'Infeasible',
        message: "Node didn't have enough capacity: cpu, requested: 1100, capacity: 1000",
      },
    ],
    [
      'can never make the pod one of another class',
      podOf({ requests: small.requests ?? {} }),
      [],
      { reason: 'Infeasible', message: 'Pod QOS Class may not change as a result of resizing' },
    ],
  ])('%s', (_, desired, others, expected) => {
    expect(judgeResize(desired, podOf(small), others, node)).toEqual(expected);
  });

  it('that frees something comes first, then what is more important, then what waits longer', () => {
    const waiting = (name: string, desired: Pod, sinceMs: number) => ({
      name,
      desired,
      allocated: podOf(of('200m', '64Mi')),
      sinceMs,
    });
    const grown = podOf(of('300m', '64Mi'));
    const important = { ...grown, spec: { ...grown.spec!, priority: 5 } };
    const burstable = podOf({ requests: { cpu: '300m', memory: '64Mi' } });
    const order = [
      waiting('burstable', burstable, 1),
      waiting('late', grown, 3),
      waiting('early', grown, 2),
      waiting('important', important, 4),
      waiting('smaller', podOf(small), 5),
    ].sort(compareResizes);
    expect(order.map(({ name }) => name)).toEqual(['smaller', 'important', 'early', 'late', 'burstable']);
  });
});

it('a resize is not refused for want of AppArmor, which is asked of pods that come', () => {
  const confined = { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } };
  const [desired, allocated] = [podOf(large), podOf(small)].map((pod) => ({
    ...pod,
    spec: { ...pod.spec!, ...confined },
  }));
  const lacking = { ...node, lacksAppArmor: () => true };
  expect(judgeResize(desired!, allocated!, [], lacking)).toBe('allocate');
});

describe('memory limits', () => {
  const limit = (wasBytes: number, limitBytes: number, usedBytes?: number) => ({
    of: 'pod',
    wasBytes,
    limitBytes,
    usedBytes,
  });
  it.each<[string, ReturnType<typeof limit>[], string | undefined]>([
    ['may grow', [limit(10, 20, 15)], undefined],
    ['may go', [limit(10, 0, 15)], undefined],
    ['may shrink to what is not in use', [limit(20, 10, 9)], undefined],
    [
      'may not shrink below what is in use',
      [limit(20, 10, 10)],
      'cannot decrease memory limits: attempting to set pod memory limit (10) below current usage (10)',
    ],
    [
      'may not come where more is in use',
      [limit(0, 10, 11)],
      'cannot decrease memory limits: attempting to set pod memory limit (10) below current usage (11)',
    ],
    [
      'may not shrink blindly; all problems are told',
      [limit(20, 10), limit(20, 10, 12)],
      'cannot decrease memory limits: [missing pod memory usage, attempting to set pod memory limit (10) below current usage (12)]',
    ],
  ])('%s', (_, limits, expected) => {
    expect(memoryTooSmall(limits)).toBe(expected);
  });
});
