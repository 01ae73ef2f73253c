import { expect, test } from 'vitest';
import type { Container, Pod } from '../api/core.gen.ts';
import { podResizeErrors } from './pod-resize.ts';

const main: Container = {
  name: 'main',
  image: 'i',
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '64Mi' } },
};
const podOf = (...containers: Container[]): Pod => ({ spec: { containers } });
const withResources = (resources: Container['resources'], over: Partial<Container> = {}): Pod =>
  podOf({ ...main, ...over, resources });

test.each<[string, Pod, string[]]>([
  ['nothing', podOf(main), []],
  [
    'more of both',
    withResources({ requests: { cpu: '200m', memory: '64Mi' }, limits: { memory: '96Mi' } }),
    [],
  ],
  [
    'a limit that was not there',
    withResources({ requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '64Mi' } }),
    [],
  ],
  [
    'no limit any more',
    withResources({ requests: { cpu: '100m', memory: '64Mi' } }),
    ['Forbidden: resource limits cannot be removed (memory)'],
  ],
  [
    'another image',
    podOf({ ...main, image: 'j' }),
    ['Forbidden: only cpu and memory resources of containers and sidecars are mutable on resize'],
  ],
  [
    'storage',
    withResources({
      requests: { cpu: '100m', memory: '64Mi', 'ephemeral-storage': '1Gi' },
      limits: { memory: '64Mi' },
    }),
    ['Forbidden: only cpu and memory resources of containers and sidecars are mutable on resize'],
  ],
  [
    'another container',
    podOf(main, { name: 'more', image: 'i' }),
    ['Forbidden: containers may not be renamed, added, removed or reordered on resize'],
  ],
  [
    'another class',
    withResources({ requests: { cpu: '1', memory: '64Mi' }, limits: { cpu: '1', memory: '64Mi' } }),
    ['Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'],
  ],
])('a resize to %s', (_, wanted, messages) => {
  expect(podResizeErrors(podOf(main), wanted).map(({ message }) => message)).toEqual(messages);
});

test('a pod that has ended is not resized', () => {
  const ended: Pod = { ...podOf(main), status: { phase: 'Failed' } };
  expect(podResizeErrors(ended, podOf(main))).toHaveLength(1);
});
