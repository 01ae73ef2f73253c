import { describe, expect, it } from 'vitest';
import { toAmounts } from '../resources/amounts.ts';
import { allocatable, cpuListLength, machineCapacity, unreserved } from './capacity.ts';
import type { Threshold } from './thresholds.ts';

const gi = 2 ** 30;
const none = { kubeReserved: {}, systemReserved: {} };
const threshold = (signal: Threshold['signal'], value: Threshold['value'], graceMs = 0): Threshold => ({
  signal,
  value,
  graceMs,
  minReclaim: { amount: 0 },
});

describe('allocatable', () => {
  const capacity = { cpu: 4000, memory: 8 * gi, 'ephemeral-storage': 100 * gi, pods: 110 };
  it('is the capacity where nothing is kept', () =>
    expect(allocatable(capacity, none, [])).toEqual(capacity));
  it('is less what the system and the agent keep, and the hard eviction thresholds', () => {
    const reservations = { kubeReserved: { cpu: '200m' }, systemReserved: { cpu: '300m', memory: '1Gi' } };
    const thresholds = [
      threshold('memory.available', { amount: gi }),
      threshold('nodefs.available', { fraction: 0.1 }),
      threshold('memory.available', { amount: 4 * gi }, 60_000),
    ];
    expect(allocatable(capacity, reservations, thresholds)).toEqual({
      cpu: 3500,
      memory: 6 * gi,
      'ephemeral-storage': 90 * gi,
      pods: 110,
    });
    expect(unreserved(capacity, reservations)).toEqual({ ...capacity, cpu: 3500, memory: 7 * gi });
  });
  it('never falls below nothing', () => {
    expect(allocatable(capacity, { ...none, systemReserved: { memory: '9Gi' } }, []).memory).toBe(0);
  });
  it('counts memory that is set aside as huge pages once', () => {
    const withPages = { ...capacity, 'hugepages-1Gi': 2 * gi };
    expect(allocatable(withPages, none, [])).toMatchObject({ memory: 6 * gi, 'hugepages-1Gi': 2 * gi });
  });
});

describe('machineCapacity', () => {
  it('finds what this machine has', async () => {
    const {
      cpu = 0,
      memory = 0,
      pods,
      'ephemeral-storage': storage = 0,
    } = await machineCapacity({ rootDir: '/', maxPods: 110 });
    expect(cpu).toBeGreaterThanOrEqual(1000);
    expect(cpu % 1000).toBe(0);
    expect(memory).toBeGreaterThan(toAmounts({ memory: '64Mi' }).memory ?? 0);
    expect(storage).toBeGreaterThan(0);
    expect(pods).toBe(110);
  });
});

describe('cpuListLength', () => {
  it.each([
    ['0', 1],
    ['0-3', 4],
    ['0-1,4,6-7', 5],
    ['', 0],
  ])("'%s' are %i", (list, length) => expect(cpuListLength(list)).toBe(length));
});
