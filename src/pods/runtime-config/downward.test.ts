import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/core.gen.ts';
import { formatMap, type NodeContext, podField, resourceField } from './downward.ts';

const node: NodeContext = {
  nodeName: 'robot',
  hostIps: ['10.0.0.1', 'fd00::1'],
  allocatable: { cpu: 3500, memory: 4 * 1024 ** 3, 'ephemeral-storage': 10 ** 9, 'hugepages-2Mi': 2 ** 30 },
};

const pod: Pod = {
  metadata: {
    name: 'p',
    namespace: 'ns',
    uid: 'u-1',
    labels: { b: '2', a: '1' },
    annotations: { 'x.io/note': 'line one\nsays "hi"\\' },
  },
  spec: {
    serviceAccountName: 'sa',
    containers: [
      {
        name: 'c',
        resources: {
          requests: { cpu: '250m', memory: '32Mi' },
          limits: { cpu: '1500m', memory: '64Mi', 'hugepages-2Mi': '4Mi' },
        },
      },
      { name: 'bare' },
      { name: 'zero', resources: { limits: { cpu: '0', memory: '0', 'ephemeral-storage': '0' } } },
    ],
    initContainers: [{ name: 'init', resources: { limits: { cpu: '2' } } }],
  },
};

describe('a fieldRef yields', () => {
  test.each([
    ['metadata.name', 'p'],
    ['metadata.namespace', 'ns'],
    ['metadata.uid', 'u-1'],
    ["metadata.labels['a']", '1'],
    ["metadata.labels['none']", ''],
    ["metadata.annotations['x.io/note']", 'line one\nsays "hi"\\'],
    ['metadata.labels', 'a="1"\nb="2"'],
    ['metadata.annotations', 'x.io/note="line one\\nsays \\"hi\\"\\\\"'],
    ['spec.nodeName', 'robot'],
    ['spec.serviceAccountName', 'sa'],
    ['status.hostIP', '10.0.0.1'],
    ['status.hostIPs', '10.0.0.1,fd00::1'],
    ['status.podIP', '10.1.0.2'],
    ['status.podIPs', '10.1.0.2,fd00:1::2'],
  ])('for %s: %j', (fieldPath, expected) => {
    expect(podField(pod, { fieldPath }, node, ['10.1.0.2', 'fd00:1::2'])).toBe(expected);
  });

  test('a refusal for any other field', () => {
    expect(() => podField(pod, { fieldPath: 'spec.containers' }, node, [])).toThrow(
      'unsupported fieldPath: spec.containers',
    );
  });
});

describe('a resourceFieldRef yields', () => {
  test.each([
    ['limits.cpu', undefined, '2'],
    ['limits.cpu', '0', '2'],
    ['limits.cpu', '1m', '1500'],
    ['requests.cpu', undefined, '1'],
    ['requests.cpu', '1m', '250'],
    ['limits.memory', undefined, '67108864'],
    ['limits.memory', '1Mi', '64'],
    ['limits.memory', '1Gi', '1'],
    ['requests.memory', '1Ki', '32768'],
    ['limits.hugepages-2Mi', '1Mi', '4'],
    ['requests.ephemeral-storage', undefined, '0'],
    ['limits.ephemeral-storage', undefined, '1000000000'],
  ])('for %s by %s: %s', (resource, divisor, expected) => {
    const selector = { resource, divisor };
    expect(resourceField(pod, pod.spec?.containers[0], selector, node.allocatable)).toBe(expected);
  });

  test.each([
    ['limits.cpu', '1m', '3500'],
    ['limits.cpu', undefined, '4'],
    ['limits.memory', '1Gi', '4'],
    ['limits.ephemeral-storage', undefined, '1000000000'],
    ['limits.hugepages-2Mi', undefined, '0'],
    ['requests.cpu', undefined, '0'],
  ])('for %s by %s of a container without any, or with 0: %s', (resource, divisor, expected) => {
    for (const containerName of ['bare', 'zero']) {
      const selector = { resource, divisor, containerName };
      expect(resourceField(pod, undefined, selector, node.allocatable)).toBe(expected);
    }
  });

  test.each([
    ['bare', 'limits.memory', '1024'],
    ['zero', 'limits.memory', '1024'],
    ['c', 'limits.memory', '64'],
    // A limit of 0 of the pod is none either.
    ['bare', 'limits.cpu', '3500'],
    ['zero', 'limits.cpu', '3500'],
    ['zero', 'limits.ephemeral-storage', '1000000'],
    ['bare', 'limits.hugepages-2Mi', '0'],
  ])('in a pod with limits as a whole, for %s: %s %s', (containerName, resource, expected) => {
    const limits = { memory: '1Gi', cpu: '0', 'hugepages-2Mi': '8Mi' };
    const limited: Pod = { ...pod, spec: { ...pod.spec!, resources: { limits } } };
    const divisor = { 'limits.cpu': '1m', 'limits.ephemeral-storage': '1k' }[resource] ?? '1Mi';
    const selector = { resource, divisor, containerName };
    expect(resourceField(limited, undefined, selector, node.allocatable)).toBe(expected);
  });

  test('the value of an init container that is named', () => {
    const selector = { resource: 'limits.cpu', containerName: 'init' };
    expect(resourceField(pod, undefined, selector, node.allocatable)).toBe('2');
  });

  test.each([
    [{ resource: 'limits.cpu', containerName: 'x' }, 'container x not found'],
    [{ resource: 'limits.pods' }, 'unsupported container resource : limits.pods'],
    [{ resource: 'cpu' }, 'unsupported container resource : cpu'],
  ])('a refusal for %j', (selector, message) => {
    expect(() => resourceField(pod, pod.spec?.containers[0], selector, node.allocatable)).toThrow(message);
  });
});

test('maps are written in the order of bytes, with what is not printable escaped as Go does', () => {
  expect(formatMap({ b: 'é\u00a0', a: '\x00\x7f\u200b\u{1F600}\u{E0001}\t', B: '' })).toBe(
    'B=""\na="\\x00\\x7f\\u200b😀\\U000e0001\\t"\nb="é\\u00a0"',
  );
});
