import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { decodeManifest } from '../api/decode.ts';
import { isStaticPod } from './source.ts';
import { staticPod } from './static-pod.ts';

const origin = { file: '/etc/roslet/talker.yaml', nodeName: 'Robot-1', seenAtMs: () => 1_700_000_000_000 };

const decoded = (text: string): Pod => {
  const [object] = decodeManifest(text, 'talker.yaml').objects;
  if (object?.kind !== 'Pod') throw new Error('no pod');
  return object.object;
};

const text = `apiVersion: v1
kind: Pod
metadata: {name: talker, labels: {a: b, c: d}}
spec: {containers: [{name: main, image: x, resources: {limits: {cpu: 1}}}]}
`;
const uidOf = (pod: Pod, changes: Partial<typeof origin> = {}): string | undefined =>
  staticPod(pod, { ...origin, ...changes }).metadata?.uid;

it('gives the pod the identity that the kubelet gives a static pod', () => {
  const pod = staticPod(decoded(text), origin);
  expect(pod.metadata).toMatchObject({
    name: 'talker-robot-1',
    namespace: 'default',
    uid: expect.stringMatching(/^[0-9a-f]{32}$/),
    annotations: {
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.hash': pod.metadata?.uid,
      'kubernetes.io/config.seen': '2023-11-14T22:13:20.000Z',
    },
  });
  expect(pod.spec).toMatchObject({
    nodeName: 'Robot-1',
    tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
  });
  expect(pod.status).toEqual({ phase: 'Pending' });
  expect(isStaticPod(pod)).toBe(true);
});

describe('the uid', () => {
  it('does not change with comments, order of keys, quotes, notation or the time', () => {
    const reordered = `# the same in other words
spec:
  containers:
    - {image: 'x', "name": main, resources: {limits: {cpu: "1"}}}
metadata:
  labels: {c: "d", a: b}
  name: talker
kind: Pod
apiVersion: "v1"
status: {}
`;
    expect(uidOf(decoded(reordered))).toBe(uidOf(decoded(text)));
    expect(uidOf(decoded(text), { seenAtMs: () => 0 })).toBe(uidOf(decoded(text)));
  });

  it.each<[string, Pod, Partial<typeof origin>]>([
    ['content', decoded(text.replace('image: x', 'image: z')), {}],
    ['a label', decoded(text.replace('a: b', 'a: c')), {}],
    ['node', decoded(text), { nodeName: 'robot-2' }],
    ['file', decoded(text), { file: '/etc/roslet/other.yaml' }],
  ])('changes with the %s', (_, pod, changes) => {
    expect(uidOf(pod, changes)).not.toBe(uidOf(decoded(text)));
  });

  it('is the one of the manifest when that gives one', () => {
    expect(uidOf(decoded(text.replace('name: talker', 'name: talker, uid: mine')))).toBe('mine');
  });
});

it('adds no toleration to a pod that tolerates everything already', () => {
  const tolerations = [{ operator: 'Exists' }];
  const pod: Pod = { metadata: { name: 'a' }, spec: { containers: [], tolerations } };
  expect(staticPod(pod, origin).spec?.tolerations).toEqual(tolerations);
});

it('adds it to one that tolerates only for a time', () => {
  const tolerations = [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }];
  const pod: Pod = { metadata: { name: 'a' }, spec: { containers: [], tolerations } };
  expect(staticPod(pod, origin).spec?.tolerations).toHaveLength(2);
});
