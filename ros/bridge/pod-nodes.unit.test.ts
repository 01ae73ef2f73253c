import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import { testPod } from '../../src/pods/testing.ts';
import type { BridgeAgent, BridgedPod } from '../agent-port.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import { PodNodes } from './pod-nodes.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A transport with room for so many endpoints, and pods that come and go. */
function withRoomFor(endpoints: number) {
  let free = endpoints;
  const tries = vi.fn();
  const createNode = (name: string): RosNode => {
    let own = 0;
    tries(name);
    const create = () => {
      if (free === 0) throw new Error('no room');
      free -= 1;
      own += 1;
      return { publish: () => undefined };
    };
    const close = () => {
      free += own;
      own = 0;
    };
    return { createPublisher: create, createService: create, close } as unknown as RosNode;
  };
  const pods = new Map<string, BridgedPod>();
  const warn = vi.fn();
  const agent: Partial<BridgeAgent> = { pods: () => [...pods.values()], pod: (uid) => pods.get(uid), warn };
  const nodes = new PodNodes({
    transport: { createNode } as unknown as RosTransport,
    agent: agent as BridgeAgent,
    robot: 'r2',
    access: 'all',
    onGone: () => undefined,
    log: silentLogger(),
  });
  const come = (uid: string): void => {
    pods.set(uid, {
      pod: testPod({}, { uid, name: uid }),
      runtime: 'process',
      lifecycle: { state: 'active', hasFailed: false, isHeldBack: false, waitsFor: [] },
      usage: {},
      probes: [],
      isStale: false,
    });
    nodes.show(uid);
  };
  const go = (uid: string): void => {
    pods.delete(uid);
    nodes.show(uid);
  };
  const release = (): void => {
    free += endpoints;
  };
  return { come, go, nodes, pods, tries, warn, release, free: () => free };
}

const each = 13;

it('says once of a pod that there is no room for its node, and takes none for half of it', () => {
  const { come, free, nodes, tries, warn } = withRoomFor(each + 5);
  come('a');
  for (let change = 0; change < 20; change += 1) come('b');
  expect([nodes.nameOf('a'), nodes.nameOf('b')]).toEqual(['/r2/pods/default/a', undefined]);
  expect(warn.mock.calls.map(([pod, reason]) => [pod.metadata.name, reason])).toEqual([
    ['b', 'NotOnRosGraph'],
  ]);
  expect(tries).toHaveBeenCalledTimes(2);
  expect(free()).toBe(5);
});

it('gives the room of those that have gone to those that wait for it', () => {
  const { come, go, nodes, tries, warn } = withRoomFor(each);
  for (const uid of ['a', 'b', 'c']) come(uid);
  go('a');
  vi.advanceTimersByTime(2000);
  expect([nodes.nameOf('b'), nodes.nameOf('c')]).toEqual(['/r2/pods/default/b', undefined]);
  expect(tries.mock.calls.map(([name]) => name)).toEqual(['a', 'b', 'c', 'b', 'b', 'c']);
  expect(warn).toHaveBeenCalledTimes(2);
});

it('tries again and again, ever less often, as room may come at any time', () => {
  const { come, nodes, release, tries, warn } = withRoomFor(each);
  for (const uid of ['a', 'b']) come(uid);
  vi.advanceTimersByTime(63_000);
  // After 1, 3, 7, 15, 31 and 63 s.
  expect(tries).toHaveBeenCalledTimes(2 + 6);
  vi.advanceTimersByTime(600_000);
  expect(tries).toHaveBeenCalledTimes(2 + 6 + 10);
  release();
  vi.advanceTimersByTime(60_000);
  expect(nodes.nameOf('b')).toBe('/r2/pods/default/b');
  expect(warn).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('tries soon when somebody has gone, however long it has tried in vain', () => {
  const { come, go, nodes } = withRoomFor(each);
  for (const uid of ['a', 'b']) come(uid);
  vi.advanceTimersByTime(600_000);
  go('a');
  vi.advanceTimersByTime(2000);
  expect(nodes.nameOf('b')).toBe('/r2/pods/default/b');
});

it('forgets who waited and is gone', () => {
  const { come, go, nodes, pods } = withRoomFor(each);
  for (const uid of ['a', 'b', 'c']) come(uid);
  go('b');
  pods.delete('b');
  go('a');
  vi.advanceTimersByTime(10_000);
  expect(nodes.nameOf('c')).toBe('/r2/pods/default/c');
});

it('ends the node of a pod that waited for room among the pods, and is refused', () => {
  const { come, nodes, pods } = withRoomFor(each);
  come('a');
  const { lifecycle: _, ...refused } = pods.get('a')!;
  pods.set('a', { ...refused, pod: { ...refused.pod, status: { phase: 'Failed' } } });
  nodes.show('a');
  expect(nodes.nameOf('a')).toBeUndefined();
});
