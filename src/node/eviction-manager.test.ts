import { describe, expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import type { Pressure } from './conditions.ts';
import { noEvictionState } from './eviction.ts';
import {
  type EvictionManagerOptions,
  evictionRound,
  podsOverLimit,
  runEviction,
} from './eviction-manager.ts';
import type { PodWithUsage } from './eviction-rank.ts';
import type { EvictionSignal } from './thresholds.ts';

const named = (name: string, volumeBytes = 0): PodWithUsage => ({
  pod: {
    metadata: { name },
    spec: { containers: [], volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '1Ki' } }] },
  },
  usage: { containers: new Map(), volumes: new Map([['scratch', { bytes: volumeBytes, inodes: 1 }]]) },
});

/** A node whose disk has `available` bytes; each reclaim gives `reclaimable` back. */
function node(available: number, reclaimable: number, more: Partial<EvictionManagerOptions> = {}) {
  const done: string[] = [];
  let left = available;
  let told: ReadonlySet<Pressure> = new Set();
  const options: EvictionManagerOptions = {
    thresholds: [
      { signal: 'nodefs.available', value: { amount: 100 }, graceMs: 0, minReclaim: { amount: 0 } },
    ],
    transitionPeriodMs: 0,
    maxPodGracePeriodSeconds: 0,
    periodMs: 1000,
    observe: async () => ({
      observations: new Map<EvictionSignal, { available: number; capacity: number }>([
        ['nodefs.available', { available: left, capacity: 1000 }],
      ]),
      dedicatedImageFs: false,
    }),
    pods: async (_, matters) => [named('a'), named('b')].filter(({ pod }) => matters(pod)),
    reclaim: async () => {
      done.push('reclaim');
      left += reclaimable;
    },
    evict: async ({ pod }) => {
      done.push(`evict ${pod.metadata?.name}`);
    },
    onPressures: (pressures) => {
      told = pressures;
    },
    log: silentLogger(),
    ...more,
  };
  return {
    overLimit: async () =>
      (await podsOverLimit(options, AbortSignal.timeout(60_000))).map(({ pod }) => pod.metadata?.name),
    round: (relieved = false) =>
      evictionRound(options, noEvictionState, () => relieved, AbortSignal.timeout(60_000)),
    done,
    options,
    told: () => told,
  };
}

describe('evictionRound', () => {
  it('evicts nobody when removing what is not in use was enough', async () => {
    const { round, done } = node(50, 100);
    await round();
    expect(done).toEqual(['reclaim']);
  });
  it('evicts one pod when it was not', async () => {
    const { round, done, told } = node(50, 10);
    await round();
    expect(done).toEqual(['reclaim', 'evict a']);
    expect(told()).toEqual(new Set(['DiskPressure']));
  });
  it('does not measure pods without limits while there is enough', async () => {
    const measured: string[] = [];
    const pods: EvictionManagerOptions['pods'] = async (_, matters) => {
      const unlimited = { metadata: { name: 'unlimited' }, spec: { containers: [{ name: 'c' }] } };
      for (const pod of [named('limited').pod, unlimited])
        if (matters(pod)) measured.push(pod.metadata?.name ?? '');
      return [];
    };
    const { round, overLimit } = node(500, 0, { pods });
    await round();
    expect(measured).toEqual([]);
    await overLimit();
    expect(measured).toEqual(['limited']);
  });
  it('evicts when nothing can be removed at all', async () => {
    const reclaim = () => Promise.reject(new Error('the runtime is gone'));
    const { round, done } = node(50, 0, { reclaim });
    await round();
    expect(done).toEqual(['evict a']);
  });
  it('evicts nobody for the node while one goes for its own limit', async () => {
    const { round, done } = node(50, 10);
    await round(true);
    expect(done).toEqual(['reclaim']);
  });
  it('measures the disk only where that is short', async () => {
    const needs: boolean[] = [];
    const pods: EvictionManagerOptions['pods'] = async (_, __, { disk }) => {
      needs.push(disk);
      return [named('a')];
    };
    await node(50, 10, { pods }).round();
    const short = new Map([['memory.available' as const, { available: 1, capacity: 1000 }]]);
    const value = { amount: 100 };
    await node(50, 10, {
      pods,
      thresholds: [{ signal: 'memory.available', value, graceMs: 0, minReclaim: { amount: 0 } }],
      observe: async () => ({ observations: short, dedicatedImageFs: false }),
    }).round();
    expect(needs).toEqual([true, false]);
  });
  it('tells the pressure even when it cannot tell what the pods use', async () => {
    const { round, done, told } = node(50, 10, {
      pods: () => Promise.reject(new Error('the runtime is gone')),
    });
    await round();
    expect(done).toEqual(['reclaim']);
    expect(told()).toEqual(new Set(['DiskPressure']));
  });
});

it('holds every pod to its own limits', async () => {
  const pods = async () => [named('a', 2000), named('b'), named('c', 3000)];
  expect(await node(500, 0, { pods }).overLimit()).toEqual(['a', 'c']);
});

it('sees that the node is short of something while the files of a pod are still being measured', async () => {
  const ending = new AbortController();
  const pressures = new Promise<ReadonlySet<Pressure>>((onPressures) => {
    const pods: EvictionManagerOptions['pods'] = (_, matters) =>
      matters({ spec: { containers: [] } }) ? Promise.resolve([]) : new Promise(() => undefined);
    const { options } = node(50, 0, { pods, onPressures });
    void runEviction(options, ending.signal);
  });
  expect(await pressures).toEqual(new Set(['DiskPressure']));
  ending.abort();
});
