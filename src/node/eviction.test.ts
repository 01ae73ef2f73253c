import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from '../api/core.gen.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import { type EvictionInput, type EvictionState, evictionDecision, noEvictionState } from './eviction.ts';
import type { PodWithUsage } from './eviction-rank.ts';
import type { EvictionSignal, Threshold } from './thresholds.ts';

const mi = 2 ** 20;

const hard = (signal: EvictionSignal, amount: number, minReclaim = 0): Threshold => ({
  signal,
  value: { amount },
  graceMs: 0,
  minReclaim: { amount: minReclaim },
});
const soft = (signal: EvictionSignal, amount: number, graceMs: number): Threshold => ({
  ...hard(signal, amount),
  graceMs,
});

const available = (
  signal: EvictionSignal,
  amount: number,
  capacity = 1000 * mi,
): EvictionInput['observations'] => new Map([[signal, { available: amount, capacity }]]);

function running(
  name: string,
  memoryMi: number,
  spec: Partial<PodSpec> = {},
  annotations = {},
): PodWithUsage {
  const pod: Pod = {
    metadata: { name, uid: name, annotations },
    spec: { containers: [{ name: 'main' }], ...spec },
  };
  const container = { memoryWorkingSetBytes: memoryMi * mi };
  return {
    pod,
    usage: {
      memoryWorkingSetBytes: memoryMi * mi,
      containers: new Map([['main', container]]),
      volumes: new Map(),
    },
  };
}

const input = (more: Partial<EvictionInput>): EvictionInput => ({
  observations: new Map(),
  thresholds: [hard('memory.available', 100 * mi)],
  pods: [running('only', 50)],
  dedicatedImageFs: false,
  nowMs: 0,
  transitionPeriodMs: 300_000,
  maxPodGracePeriodSeconds: 5,
  reclaimed: new Set(),
  ...more,
});
const decide = (more: Partial<EvictionInput>, state: EvictionState = noEvictionState) =>
  evictionDecision(input(more), state);
const short = available('memory.available', 50 * mi);
const plenty = available('memory.available', 500 * mi);

describe('evictionDecision', () => {
  it('does nothing while there is enough', () => {
    expect(decide({ observations: plenty })).toMatchObject({
      action: { do: 'nothing' },
      pressures: new Set(),
    });
  });
  it('does nothing about what cannot be observed', () => {
    expect(decide({ observations: new Map() }).action).toEqual({ do: 'nothing' });
  });
  it('evicts when less than the threshold is left, and says how much', () => {
    const { action, pressures } = decide({ observations: short });
    expect(pressures).toEqual(new Set(['MemoryPressure']));
    expect(action).toMatchObject({
      do: 'evict',
      pod: { metadata: { name: 'only' } },
      gracePeriodSeconds: 1,
      message:
        'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 50Mi, request is 0, has larger consumption of memory. ',
    });
  });
  it('takes a percentage of the capacity', () => {
    const thresholds = [{ ...hard('memory.available', 0), value: { fraction: 0.1 } }];
    expect(decide({ thresholds, observations: short }).action.do).toBe('evict');
    expect(decide({ thresholds, observations: available('memory.available', 101 * mi) }).action.do).toBe(
      'nothing',
    );
  });
  it('tells the pressure at once but evicts only after the grace of a soft threshold, with the grace of the pod', () => {
    const thresholds = [soft('memory.available', 100 * mi, 60_000)];
    const first = decide({ thresholds, observations: short, nowMs: 0 });
    expect(first).toMatchObject({ action: { do: 'nothing' }, pressures: new Set(['MemoryPressure']) });
    const before = decide({ thresholds, observations: short, nowMs: 59_999 }, first.state);
    expect(before.action.do).toBe('nothing');
    const after = decide({ thresholds, observations: short, nowMs: 60_000 }, before.state);
    expect(after.action).toMatchObject({ do: 'evict', gracePeriodSeconds: 5 });
    const patient = [running('patient', 1, { terminationGracePeriodSeconds: 2 })];
    expect(
      decide({ thresholds, observations: short, nowMs: 60_000, pods: patient }, before.state).action,
    ).toMatchObject({
      gracePeriodSeconds: 2,
    });
  });
  it('starts the grace anew when there was enough in between', () => {
    const thresholds = [soft('memory.available', 100 * mi, 60_000)];
    const first = decide({ thresholds, observations: short, nowMs: 0 });
    const better = decide({ thresholds, observations: plenty, nowMs: 30_000 }, first.state);
    const again = decide({ thresholds, observations: short, nowMs: 70_000 }, better.state);
    expect(again.action.do).toBe('nothing');
  });
  it('goes on until the minimum is reclaimed', () => {
    const thresholds = [hard('memory.available', 100 * mi, 50 * mi)];
    const above = available('memory.available', 120 * mi);
    expect(decide({ thresholds, observations: above }).action.do).toBe('nothing');
    const { state } = decide({ thresholds, observations: short });
    expect(decide({ thresholds, observations: above }, state).action.do).toBe('evict');
    expect(
      decide({ thresholds, observations: available('memory.available', 150 * mi) }, state).action.do,
    ).toBe('nothing');
  });
  it('keeps telling a pressure for the transition period', () => {
    const { state } = decide({ observations: short, nowMs: 0 });
    const soon = decide({ observations: plenty, nowMs: 300_000 }, state);
    expect(soon).toMatchObject({ pressures: new Set(['MemoryPressure']), action: { do: 'nothing' } });
    expect(decide({ observations: plenty, nowMs: 300_001 }, soon.state).pressures).toEqual(new Set());
  });
  it('removes what is not in use before it evicts for disk', () => {
    const thresholds = [hard('nodefs.available', 100 * mi)];
    const observations = available('nodefs.available', 50 * mi);
    expect(decide({ thresholds, observations })).toMatchObject({
      action: { do: 'reclaim', signal: 'nodefs.available' },
      pressures: new Set(['DiskPressure']),
    });
    const after = decide({
      thresholds,
      observations,
      reclaimed: new Set<EvictionSignal>(['nodefs.available']),
    });
    expect(after.action.do).toBe('evict');
  });
  it('cares for memory first', () => {
    const thresholds = [
      hard('pid.available', 100),
      hard('nodefs.available', 100),
      hard('memory.available', 100),
    ];
    const observations: EvictionInput['observations'] = new Map([
      ['pid.available', { available: 1, capacity: 1000 }],
      ['memory.available', { available: 1, capacity: 1000 }],
      ['nodefs.available', { available: 1, capacity: 1000 }],
    ]);
    const { action, pressures } = decide({ thresholds, observations });
    expect(action).toMatchObject({ do: 'evict', signal: 'memory.available' });
    expect(pressures).toEqual(new Set(['MemoryPressure', 'DiskPressure', 'PIDPressure']));
  });
  it('never takes static or critical pods', () => {
    const pods = [
      running('static', 900, {}, { [configSourceAnnotation]: 'file' }),
      running('critical', 900, { priority: 2_000_000_000 }),
    ];
    expect(decide({ observations: short, pods }).action).toEqual({
      do: 'helpless',
      signal: 'memory.available',
    });
    expect(decide({ observations: short, pods: [...pods, running('small', 1)] }).action).toMatchObject({
      pod: { metadata: { name: 'small' } },
    });
  });
});
