import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { systemCriticalPriority } from '../resources/qos.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import type { NodeAdmissionContext } from './admission.ts';
import { preemptedFor } from './preemption.ts';
import { testPod } from './testing.ts';

const node: NodeAdmissionContext = {
  name: 'robot',
  labels: {},
  taints: [],
  allocatable: { cpu: 1000, memory: 1000, pods: 4 },
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

const podOf = (
  name: string,
  requests: Record<string, string>,
  spec: Partial<NonNullable<Pod['spec']>> = {},
  limits?: Record<string, string>,
): Pod =>
  testPod(
    { containers: [{ name: 'a', image: 'i', resources: { requests, ...(limits && { limits }) } }], ...spec },
    { name, uid: name, annotations: { [configSourceAnnotation]: 'api' } },
  );
const guaranteed = (name: string, cpu: string, memory: string) =>
  podOf(name, { cpu, memory }, {}, { cpu, memory });
const critical = (requests: Record<string, string>, spec: Partial<NonNullable<Pod['spec']>> = {}) =>
  podOf('critical', requests, { priority: systemCriticalPriority, ...spec });

describe('for a critical pod', () => {
  it.each<[string, Pod, Pod[], string[] | undefined]>([
    ['nothing ends where it fits', critical({ cpu: '500m' }), [podOf('a', { cpu: '500m' })], []],
    [
      'the pod ends that gives just what is missing',
      critical({ cpu: '500m' }),
      [podOf('large', { cpu: '600m' }), podOf('fits', { cpu: '300m' }), podOf('small', { cpu: '100m' })],
      ['large'],
    ],
    [
      'the smaller one of those that give enough',
      critical({ cpu: '200m' }),
      [podOf('large', { cpu: '600m' }), podOf('fits', { cpu: '300m' })],
      ['fits'],
    ],
    [
      'a pod of a lower class ends before a guaranteed one',
      critical({ cpu: '400m' }),
      [guaranteed('guaranteed', '500m', '10'), podOf('burstable', { cpu: '500m' })],
      ['burstable'],
    ],
    [
      'pods that ask for nothing end where the node has too many',
      critical({}),
      [podOf('a', {}), podOf('b', {}), podOf('c', { cpu: '1' }), guaranteed('d', '0.1', '1')],
      ['a'],
    ],
    [
      'nothing is looked for of a resource that only the scheduler counts',
      critical({ cpu: '500m', 'vendor.org/gpu': '1' }),
      [podOf('gpu', { cpu: '10m', 'vendor.org/gpu': '1' }), podOf('cpu', { cpu: '600m' })],
      ['cpu'],
    ],
    [
      'no other critical pod ends',
      critical({ cpu: '500m' }),
      [podOf('other', { cpu: '900m' }, { priority: systemCriticalPriority })],
      undefined,
    ],
    [
      'one of lower priority does',
      critical({ cpu: '500m' }, { priority: systemCriticalPriority + 1 }),
      [podOf('other', { cpu: '900m' }, { priority: systemCriticalPriority })],
      ['other'],
    ],
    ['nothing ends in vain', critical({ cpu: '2' }), [podOf('a', { cpu: '900m' })], undefined],
    [
      'nothing ends where it would be refused for something else',
      critical({ cpu: '500m' }, { nodeSelector: { fleet: 'other' } }),
      [podOf('a', { cpu: '900m' })],
      undefined,
    ],
  ])('%s', (_, pod, others, expected) => {
    expect(preemptedFor(pod, others, node)?.map(({ metadata }) => metadata?.name)).toEqual(expected);
  });

  it('alone does anything end', () => {
    expect(preemptedFor(podOf('p', { cpu: '500m' }), [podOf('a', { cpu: '900m' })], node)).toBeUndefined();
  });
});
