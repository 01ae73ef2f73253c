import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import { createNodeMonitor } from './node.ts';
import type { Threshold } from './thresholds.ts';

const monitor = (thresholds: Threshold[]) =>
  createNodeMonitor({
    nodeName: 'robot',
    labels: {},
    taints: [],
    addresses: () => [],
    kubeletPort: 0,
    agentVersion: 'v0',
    rootDir: tmpdir(),
    maxPods: 10,
    reservations: {
      kubeReserved: {},
      systemReserved: {},
    },
    thresholds,
    periodMs: 1000,
    log: silentLogger(),
    now: Date.now,
  });

const below = (signal: Threshold['signal'], fraction: number): Threshold => ({
  signal,
  value: { fraction },
  graceMs: 0,
  minReclaim: { amount: 0 },
});

it('tells of a pressure from the beginning, before anything is evicted for it', async () => {
  const statusOf = async (thresholds: Threshold[], type: string) =>
    (await monitor(thresholds)).node().status?.conditions?.find((each) => each.type === type)?.status;
  expect(await statusOf([below('memory.available', 1.1)], 'MemoryPressure')).toBe('True');
  expect(await statusOf([below('nodefs.available', 1.1)], 'DiskPressure')).toBe('True');
  expect(await statusOf([below('memory.available', 0)], 'MemoryPressure')).toBe('False');
});

it('tells of a pressure no longer than eviction does', async () => {
  const node = await monitor([below('memory.available', 1.1)]);
  expect(node.pressures()).toEqual(['MemoryPressure']);
  node.setPressures(new Set());
  expect(node.pressures()).toEqual([]);
});
