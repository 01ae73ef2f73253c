import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from './core.gen.ts';
import { formatFieldError } from './errors.ts';
import { fieldsOf } from './schema.ts';
import { supportOf, supportSections, unsupportedFields } from './support.ts';
import { supportTables } from './support-tables.ts';

const podWith = (spec: Partial<PodSpec>, annotations?: Record<string, string>): Pod => ({
  metadata: { name: 'a', annotations },
  spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
});
const refusals = (spec: Partial<PodSpec>): string[] => unsupportedFields(podWith(spec)).map(formatFieldError);

describe('the table', () => {
  it('says something about every field of every type that a pod can have, and about no other', () => {
    // supportSections throws for a type or field without an entry.
    const reached = supportSections();
    expect(Object.keys(supportTables).sort()).toEqual(reached.map(({ typeName }) => typeName).sort());
    for (const { typeName } of reached) {
      expect(Object.keys(supportOf(typeName) ?? {}).sort()).toEqual([...fieldsOf(typeName).keys()].sort());
    }
  });

  it('gives a reason for everything that is not simply supported', () => {
    for (const { fields } of supportSections()) {
      for (const { support } of fields) {
        if (support.level !== 'supported') expect(support.note).toMatch(/\w{3}/);
      }
    }
  });
});

describe('what is refused', () => {
  it.each<[string, Partial<PodSpec>, string[]]>([
    ['nothing of a plain pod', {}, []],
    [
      'a claim',
      { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] },
      [
        'spec.volumes[0].persistentVolumeClaim: is not supported: claims: it needs a control plane, which a standalone node does not have; use hostPath',
      ],
    ],
    [
      'a network volume',
      { volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] },
      [
        'spec.volumes[0].nfs: is not supported: network volumes are not: mount it on the host and use hostPath',
      ],
    ],
    [
      'a token among other projections',
      {
        volumes: [
          {
            name: 'v',
            projected: { sources: [{ configMap: { name: 'c' } }, { serviceAccountToken: { path: 't' } }] },
          },
        ],
      },
      [expect.stringContaining('spec.volumes[0].projected.sources[1].serviceAccountToken: is not supported')],
    ],
    [
      'a value, while another is fine',
      { hostUsers: false },
      ['spec.hostUsers: false is not supported: user namespaces are not supported yet'],
    ],
    ['the other value', { hostUsers: true, os: { name: 'linux' } }, []],
    [
      'windows',
      { os: { name: 'windows' } },
      ['spec.os.name: "windows" is not supported: roslet runs on Linux only'],
    ],
    [
      'a field of a container of each kind',
      {
        containers: [{ name: 'a', volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }],
        initContainers: [{ name: 'b', resources: { claims: [{ name: 'c' }] } }],
      },
      [
        expect.stringContaining('spec.containers[0].volumeDevices: is not supported'),
        expect.stringContaining('spec.initContainers[0].resources.claims: is not supported'),
      ],
    ],
    ['not what has no effect', { schedulerName: 'mine', affinity: { podAffinity: {} } }, []],
    [
      'not the empty lists that clients send',
      { ephemeralContainers: [], resourceClaims: [], schedulingGates: [] },
      [],
    ],
    [
      'a priority class that nobody defines',
      { priorityClassName: 'high' },
      [expect.stringContaining('spec.priorityClassName: "high" is not supported')],
    ],
    ['not the ones that every cluster has', { priorityClassName: 'system-node-critical' }, []],
  ])('%s', (_, spec, expected) => {
    expect(refusals(spec)).toEqual(expected);
  });

  it.each([
    'container.apparmor.security.beta.kubernetes.io/main',
    'seccomp.security.alpha.kubernetes.io/pod',
    'roslet.dev/dds.domain',
    'roslet.dev/sched.main',
  ])('the annotation %s, which would silently do nothing', (name) => {
    expect(unsupportedFields(podWith({}, { [name]: 'x' }))).toMatchObject([
      { path: `metadata.annotations[${name}]`, reason: 'FieldValueForbidden' },
    ]);
  });

  it.each([
    ['container.apparmor.security.beta.kubernetes.io/main', 0],
    ['seccomp.security.alpha.kubernetes.io/pod', 0],
    ['roslet.dev/dds.domain', 1],
  ])('the annotation %s of a pod of a cluster, where it is ours to refuse', (name, count) => {
    expect(unsupportedFields(podWith({}, { [name]: 'x' }), true)).toHaveLength(count);
  });

  it('no other annotation', () => {
    expect(unsupportedFields(podWith({}, { 'example.com/x': 'y', 'roslet.dev/autostart': 'false' }))).toEqual(
      [],
    );
  });
});
