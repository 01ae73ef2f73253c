import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { inPlaceChange, sameContent } from './in-place.ts';
import { testPod } from './testing.ts';

const a = { name: 'a', image: 'i' };
const b = { name: 'b', image: 'i' };
const of = (cpu: string, memory: string) => ({ ...a, resources: { requests: { cpu, memory } } });
const sameQos = () => 'BestEffort';

describe('a change of a static pod', () => {
  const cases: [string, Pod, Pod, string[] | undefined][] = [
    ['nothing', testPod(), testPod(), []],
    ['labels', testPod(), testPod({}, { labels: { x: 'y' } }), []],
    ['one image', testPod({ containers: [a, b] }), testPod({ containers: [a, { ...b, image: 'j' }] }), ['b']],
    [
      'one command',
      testPod({ containers: [a, b] }),
      testPod({ containers: [{ ...a, command: ['x'] }, b] }),
      ['a'],
    ],
    ['a container more', testPod({ containers: [a] }), testPod({ containers: [a, b] }), []],
    ['a container less', testPod({ containers: [a, b] }), testPod({ containers: [a] }), []],
    [
      'more cpu and memory',
      testPod({ containers: [of('1', '1Gi'), b] }),
      testPod({ containers: [of('2', '2Gi'), b] }),
      [],
    ],
    [
      'no request any more',
      testPod({ containers: [of('1', '1Gi'), b] }),
      testPod({ containers: [a, b] }),
      ['a'],
    ],
    [
      'another image with more memory',
      testPod({ containers: [of('1', '1Gi')] }),
      testPod({ containers: [{ ...of('1', '2Gi'), image: 'j' }] }),
      ['a'],
    ],
    [
      'more cpu of a sidecar',
      testPod({ initContainers: [{ ...of('1', '1Gi'), restartPolicy: 'Always' }] }),
      testPod({ initContainers: [{ ...of('2', '1Gi'), restartPolicy: 'Always' }] }),
      [],
    ],
    ['the grace', testPod(), testPod({ terminationGracePeriodSeconds: 5 }), []],
    ['a field that is unset', testPod(), testPod({ hostNetwork: undefined }), []],
    ['the network', testPod(), testPod({ hostNetwork: true }), undefined],
    ['an init container', testPod(), testPod({ initContainers: [b] }), undefined],
    ['a volume', testPod(), testPod({ volumes: [{ name: 'v', emptyDir: {} }] }), undefined],
    ['another pod', testPod(), testPod({}, { name: 'q' }), undefined],
  ];
  it.each(cases)('%s', (_name, before, after, changed) => {
    expect(inPlaceChange(before, after, sameQos)?.changed).toEqual(changed);
  });

  it('of the QoS class starts the pod anew', () => {
    const after = testPod({ containers: [{ ...a, resources: { requests: { cpu: '1' } } }] });
    const qos = (pod: Pod) => (pod === after ? 'Burstable' : 'BestEffort');
    expect(inPlaceChange(testPod(), after, qos)).toBeUndefined();
  });
});

describe('the same content', () => {
  it('does not depend on uid, hash, time of reading or status', () => {
    const annotations = { 'kubernetes.io/config.hash': '1', 'kubernetes.io/config.seen': 'now' };
    const other = { ...testPod({}, { uid: 'other', annotations }), status: { phase: 'Running' } };
    expect(sameContent(testPod({}, { annotations: {} }), other)).toBe(true);
  });
  it('differs with an annotation of the user', () => {
    expect(sameContent(testPod({}, { annotations: {} }), testPod({}, { annotations: { a: 'b' } }))).toBe(
      false,
    );
  });
});
