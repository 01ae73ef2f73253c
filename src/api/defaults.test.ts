/** What the API server's defaulting of whole pods gives is shown by verdicts.test.ts; here are the single rules. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from './core.gen.ts';
import { defaultPod, defaultPullPolicy, defaultSecret } from './defaults.ts';

const specOf = (spec: Partial<PodSpec>): PodSpec =>
  defaultPod({ metadata: { name: 'a' }, spec: { containers: [{ name: 'main' }], ...spec } }).spec!;

describe('imagePullPolicy', () => {
  it.each([
    ['busybox', 'Always'],
    ['busybox:latest', 'Always'],
    ['localhost:5000/busybox', 'Always'],
    ['busybox:1.36', 'IfNotPresent'],
    ['localhost:5000/busybox:1', 'IfNotPresent'],
    ['busybox@sha256:abc', 'IfNotPresent'],
    ['busybox:latest@sha256:abc', 'Always'],
    ['', 'IfNotPresent'],
  ])('of %j is %s', (image, policy) => {
    expect(defaultPullPolicy(image)).toBe(policy);
  });
});

describe('requests', () => {
  it('are the limits where there is no request, rounded up to thousandths and canonical', () => {
    const resources = { limits: { cpu: '1.0001', memory: '1024Mi' }, requests: { memory: '512Mi' } };
    const [main] = specOf({ containers: [{ name: 'main', resources }] }).containers;
    expect(main?.resources).toEqual({
      limits: { cpu: '1001m', memory: '1Gi' },
      requests: { cpu: '1001m', memory: '512Mi' },
    });
  });
});

describe('ports', () => {
  it('on the host network are the same inside and outside', () => {
    const ports = [{ containerPort: 80 }, { containerPort: 81, hostPort: 82 }];
    const [main] = specOf({ hostNetwork: true, containers: [{ name: 'main', ports }] }).containers;
    expect(main?.ports).toEqual([
      { containerPort: 80, hostPort: 80, protocol: 'TCP' },
      { containerPort: 81, hostPort: 82, protocol: 'TCP' },
    ]);
    expect(
      specOf({ containers: [{ name: 'main', ports }] }).containers[0]?.ports?.[0]?.hostPort,
    ).toBeUndefined();
  });
});

describe('the rest', () => {
  it.each<[string, Partial<PodSpec>, Partial<PodSpec>]>([
    [
      'a volume without a source is an emptyDir',
      { volumes: [{ name: 'v' }] },
      { volumes: [{ name: 'v', emptyDir: {} }] },
    ],
    [
      'a negative grace period has long meant 1',
      { terminationGracePeriodSeconds: -1 },
      { terminationGracePeriodSeconds: 1 },
    ],
    ['no grace period is kept', { terminationGracePeriodSeconds: 0 }, { terminationGracePeriodSeconds: 0 }],
    [
      'the old name of the service account',
      { serviceAccount: 'x' },
      { serviceAccountName: 'x', serviceAccount: 'x' },
    ],
    [
      'critical pods have the priority of their class',
      { priorityClassName: 'system-node-critical' },
      { priority: 2_000_001_000 },
    ],
    ['service links can be switched off', { enableServiceLinks: false }, { enableServiceLinks: false }],
  ])('%s', (_, spec, expected) => {
    expect(specOf(spec)).toMatchObject(expected);
  });

  it('a secret has its stringData in data, which wins', () => {
    expect(
      defaultSecret({ metadata: { name: 's' }, data: { a: 'YQ==', b: 'Yg==' }, stringData: { a: 'ä' } }),
    ).toEqual({
      metadata: { name: 's', namespace: 'default' },
      type: 'Opaque',
      data: { a: 'w6Q=', b: 'Yg==' },
    });
  });
});

describe('properties', () => {
  const text = fc.constantFrom('', 'a', 'a:1', 'latest');
  const probe = fc.record(
    { timeoutSeconds: fc.nat(3), httpGet: fc.record({ port: fc.nat(9), path: text }) },
    { requiredKeys: [] },
  );
  const container = fc.record(
    {
      name: text,
      image: text,
      livenessProbe: probe,
      ports: fc.array(fc.record({ containerPort: fc.nat(9) })),
      resources: fc.record(
        { limits: fc.dictionary(text, fc.constantFrom('1', '1.5', '1024Ki')) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['name'] },
  );
  const pod: fc.Arbitrary<Pod> = fc.record({
    metadata: fc.record({ name: text }),
    spec: fc.record(
      {
        containers: fc.array(container),
        initContainers: fc.array(container),
        hostNetwork: fc.boolean(),
        volumes: fc.array(fc.record({ name: text })),
        serviceAccount: text,
      },
      { requiredKeys: ['containers'] },
    ),
  });

  it('defaulting twice is defaulting once, and the given pod stays as it is', () => {
    fc.assert(
      fc.property(pod, (given) => {
        const before = structuredClone(given);
        const once = defaultPod(given);
        expect(defaultPod(once)).toEqual(once);
        expect(given).toEqual(before);
      }),
    );
  });
});
