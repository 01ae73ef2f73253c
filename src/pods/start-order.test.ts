import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import type { LifecycleLevel, PodLifecycle } from './lifecycle.ts';
import { type RosFacts, startCycle, unmetConditions } from './start-order.ts';
import { testPod } from './testing.ts';

const named = (name: string, after?: string, namespace = 'default'): Pod =>
  testPod(
    {},
    {
      name,
      namespace,
      uid: `uid-${name}`,
      ...(after === undefined ? {} : { annotations: { 'roslet.dev/after': after } }),
    },
  );

const at = (pod: Pod, reached: LifecycleLevel, over: Partial<PodLifecycle> = {}) => ({
  pod,
  lifecycle: {
    goal: 'active' as const,
    reached,
    isStopping: false,
    isUnwanted: false,
    isEnded: false,
    waitsFor: [],
    ...over,
  },
});

const ros = (there: string[]): RosFacts => ({
  has: (kind, name) => there.includes(`${kind} ${name}`),
  onChange: () => () => undefined,
});

describe('what a pod waits for', () => {
  it.each<[string, string, ReturnType<typeof at>[], string[], string[]]>([
    ['nothing', 'topic /map', [], ['topic /map'], []],
    ['a topic', 'topic /map', [], ['node /map'], ['topic /map (nobody publishes it)']],
    ['a node', 'node /a/b', [], [], ['node /a/b (it is not in the ROS graph)']],
    ['a service', 'service /s', [], [], ['service /s (nobody offers it)']],
    ['an active pod', 'pod/x', [at(named('x'), 'active')], [], []],
    ['a pod that is not there', 'pod/x', [], [], ['pod/x active (there is no such pod on this node)']],
    [
      'a pod that is not so far',
      'pod/x',
      [at(named('x'), 'inactive')],
      [],
      ['pod/x active (it is inactive)'],
    ],
    ['an active pod, inactive would do', 'pod/x inactive', [at(named('x'), 'active')], [], []],
    [
      'a pod on its way down',
      'pod/x',
      [at(named('x'), 'active', { isStopping: true })],
      [],
      ['pod/x active (it is shutting down)'],
    ],
    [
      'a pod that ended',
      'pod/x',
      [at(named('x'), 'active', { isStopping: true, isEnded: true })],
      [],
      ['pod/x active (it is finalized)'],
    ],
    [
      'the end of a pod',
      'pod/x finalized',
      [at(named('x'), 'active', { isStopping: true, isEnded: true })],
      [],
      [],
    ],
    ['a static pod, by the name in its manifest', 'pod/x', [at(named('x-robot'), 'active')], [], []],
    [
      'a pod of another namespace',
      'pod/x',
      [at(named('x', undefined, 'other'), 'active')],
      [],
      ['pod/x active (there is no such pod on this node)'],
    ],
    ['a pod of a named namespace', 'pod/other/x', [at(named('x', undefined, 'other'), 'active')], [], []],
    [
      'several, and says which are missing',
      'pod/x, topic /map, node /n',
      [at(named('x'), 'active')],
      ['topic /map'],
      ['node /n (it is not in the ROS graph)'],
    ],
  ])('%s', (_, after, pods, there, expected) => {
    expect(unmetConditions(named('me', after), 'Robot', pods, ros(there))).toEqual(expected);
  });

  it('says why the graph is not known', () => {
    const off: RosFacts = { has: () => 'the bridge is off', onChange: () => () => undefined };
    expect(unmetConditions(named('me', 'topic /map'), 'robot', [], off)).toEqual([
      'topic /map (the bridge is off)',
    ]);
  });
});

describe('pods that would wait for each other', () => {
  it.each<[string, Pod, Pod[], string[] | undefined]>([
    ['none', named('a', 'pod/b'), [named('b'), named('c', 'pod/a')], undefined],
    ['itself', named('a', 'pod/a'), [], ['default/a']],
    ['two', named('a', 'pod/b'), [named('b', 'topic /x, pod/a')], ['default/a', 'default/b']],
    [
      'three, by the names in their manifests',
      named('a-robot', 'pod/b'),
      [named('b-robot', 'pod/c inactive'), named('c-robot', 'pod/a')],
      ['default/a-robot', 'default/b-robot', 'default/c-robot'],
    ],
    [
      'a circle that the pod is not part of',
      named('a', 'pod/b'),
      [named('b', 'pod/c'), named('c', 'pod/b')],
      undefined,
    ],
    ['pods of other namespaces', named('a', 'pod/b'), [named('b', 'pod/a', 'other')], undefined],
  ])('%s', (_, pod, others, expected) => {
    expect(startCycle(pod, others, 'robot')).toEqual(expected);
  });
});
