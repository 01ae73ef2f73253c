import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../api/core.gen.ts';
import { oomScoreAdj, podLimits, podRequests, qosClass } from './qos.ts';

const gi = 2 ** 30;

const container = (resources: ResourceRequirements = {}, more: Partial<Container> = {}): Container => ({
  name: 'c',
  resources,
  ...more,
});
const pod = (spec: Partial<PodSpec>): Pod => ({ metadata: { uid: 'u' }, spec: { containers: [], ...spec } });
const same = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});
const sidecar = (resources: ResourceRequirements, name = 'side'): Container =>
  container(resources, { name, restartPolicy: 'Always' });

describe('qosClass', () => {
  const cases: [string, Partial<PodSpec>, string][] = [
    ['nothing asked for', { containers: [container()] }, 'BestEffort'],
    ['zero asked for', { containers: [container({ requests: { cpu: '0' } })] }, 'BestEffort'],
    ['only huge pages', { containers: [container({ requests: { 'hugepages-2Mi': '2Mi' } })] }, 'BestEffort'],
    ['requests equal to limits', { containers: [container(same('1', '1Gi'))] }, 'Guaranteed'],
    [
      'the same quantity written in two ways',
      {
        containers: [
          container({ requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1000m', memory: '1024Mi' } }),
        ],
      },
      'Guaranteed',
    ],
    [
      'only cpu limited',
      { containers: [container({ limits: { cpu: '1' }, requests: { cpu: '1' } })] },
      'Burstable',
    ],
    [
      'a limit above the request',
      { containers: [container({ ...same('1', '1Gi'), limits: { cpu: '2', memory: '1Gi' } })] },
      'Burstable',
    ],
    ['one container without', { containers: [container(same('1', '1Gi')), container()] }, 'Burstable'],
    [
      'an init container without',
      { containers: [container(same('1', '1Gi'))], initContainers: [container()] },
      'Burstable',
    ],
    [
      'an init container alone that asks',
      { containers: [container()], initContainers: [container({ requests: { cpu: '1' } })] },
      'Burstable',
    ],
    [
      'a sidecar that is guaranteed, too',
      { containers: [container(same('1', '1Gi'))], initContainers: [sidecar(same('100m', '10Mi'))] },
      'Guaranteed',
    ],
    [
      'resources of the pod as a whole',
      { resources: same('1', '1Gi'), containers: [container()] },
      'Guaranteed',
    ],
    [
      'resources of the pod as a whole, only requests',
      { resources: { requests: { cpu: '1' } }, containers: [container(same('1', '1Gi'))] },
      'Burstable',
    ],
  ];
  it.each(cases)('%s', (_, spec, expected) => expect(qosClass(pod(spec))).toBe(expected));
});

describe('podRequests', () => {
  const cpu = (amount: string): ResourceRequirements => ({ requests: { cpu: amount } });
  const cases: [string, Partial<PodSpec>, Record<string, number>][] = [
    ['nothing', { containers: [container()] }, {}],
    [
      'the sum of the containers',
      { containers: [container(cpu('100m')), container(cpu('1'))] },
      { cpu: 1100 },
    ],
    [
      'the largest init container when it is larger',
      { containers: [container(cpu('100m'))], initContainers: [container(cpu('2')), container(cpu('1'))] },
      { cpu: 2000 },
    ],
    [
      'sidecars on top of the containers',
      { containers: [container(cpu('1'))], initContainers: [sidecar(cpu('200m')), sidecar(cpu('300m'))] },
      { cpu: 1500 },
    ],
    [
      'an init container beside the sidecars before it, not those after it',
      {
        containers: [container(cpu('100m'))],
        initContainers: [sidecar(cpu('200m')), container(cpu('1')), sidecar(cpu('300m'))],
      },
      { cpu: 1200 },
    ],
    [
      'each resource for itself',
      {
        containers: [container({ requests: { cpu: '1', memory: '10' } })],
        initContainers: [container({ requests: { cpu: '500m', memory: '20' } })],
      },
      { cpu: 1000, memory: 20 },
    ],
    [
      'overhead on top',
      { containers: [container(cpu('1'))], overhead: { cpu: '250m', memory: '1' } },
      { cpu: 1250, memory: 1 },
    ],
    [
      'what the pod as a whole asks for instead',
      {
        resources: { requests: { cpu: '5' } },
        containers: [container({ requests: { cpu: '1', memory: '7' } })],
      },
      { cpu: 5000, memory: 7 },
    ],
  ];
  it.each(cases)('%s', (_, spec, expected) => expect(podRequests(pod(spec))).toEqual(expected));
});

describe('podRequests of any pod', () => {
  const asking = fc.record({ cpu: fc.nat({ max: 8000 }), sidecar: fc.boolean() });
  const podOf = (init: { cpu: number; sidecar: boolean }[], main: number[]) =>
    pod({
      initContainers: init.map(({ cpu, sidecar: lasts }) =>
        (lasts ? sidecar : container)({ requests: { cpu: `${cpu}m` } }),
      ),
      containers: main.map((cpu) => container({ requests: { cpu: `${cpu}m` } })),
    });
  const total = (amounts: number[]) => amounts.reduce((a, b) => a + b, 0);

  it('are enough for all that runs at the end and for each that starts, and never more than everything at once', () => {
    fc.assert(
      fc.property(
        fc.array(asking, { maxLength: 6 }),
        fc.array(fc.nat({ max: 8000 }), { maxLength: 4 }),
        (init, main) => {
          const { cpu = 0 } = podRequests(podOf(init, main));
          const sidecars = init.filter((one) => one.sidecar).map((one) => one.cpu);
          expect(cpu).toBeGreaterThanOrEqual(total(main) + total(sidecars));
          expect(cpu).toBeGreaterThanOrEqual(Math.max(0, ...init.map((one) => one.cpu)));
          expect(cpu).toBeLessThanOrEqual(total(main) + total(init.map((one) => one.cpu)));
        },
      ),
    );
  });
});

describe('podLimits', () => {
  it('adds overhead only to what is limited', () => {
    const limited = pod({
      containers: [container({ limits: { cpu: '1' } })],
      overhead: { cpu: '100m', memory: '1Gi' },
    });
    expect(podLimits(limited)).toEqual({ cpu: 1100 });
  });
});

describe('oomScoreAdj', () => {
  const memory = (bytes: number): ResourceRequirements => ({ requests: { memory: `${bytes}` } });
  const score = (spec: Partial<PodSpec>, which?: Container) => {
    const subject = pod(spec);
    return oomScoreAdj(subject, which ?? subject.spec?.containers[0] ?? container(), 10 * gi);
  };
  it('spares guaranteed and node-critical pods', () => {
    expect(score({ containers: [container(same('1', '1Gi'))] })).toBe(-997);
    expect(
      score({
        containers: [container()],
        priorityClassName: 'system-node-critical',
        priority: 2_000_001_000,
      }),
    ).toBe(-997);
  });
  it('does not spare a pod that only claims the priority class', () => {
    expect(score({ containers: [container()], priorityClassName: 'system-node-critical', priority: 1 })).toBe(
      1000,
    );
  });
  it('gives best-effort pods up first', () => expect(score({ containers: [container()] })).toBe(1000));
  it('falls with the share of memory asked for', () => {
    expect(score({ containers: [container(memory(5 * gi))] })).toBe(500);
  });
  it('stays between best-effort and guaranteed', () => {
    expect(score({ containers: [container(memory(1))] })).toBe(999);
    expect(score({ containers: [container(memory(10 * gi))] })).toBe(3);
    expect(score({ containers: [container({ requests: { cpu: '1' } })] })).toBe(999);
  });
  it('protects a sidecar as well as the smallest container', () => {
    const side = sidecar(memory(gi));
    const spec = {
      containers: [container(memory(4 * gi)), container(memory(2 * gi))],
      initContainers: [side],
    };
    expect(score(spec, side)).toBe(800);
  });
  it('divides among the containers what the pod as a whole asks for beyond them', () => {
    const containers = [container(memory(gi)), container(memory(gi))];
    expect(score({ containers, resources: memory(6 * gi) })).toBe(700);
  });
});
