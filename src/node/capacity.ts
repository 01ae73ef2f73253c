/**
 * What the machine has and what of it pods may have: capacity, and allocatable = capacity − kubeReserved −
 * systemReserved − hard eviction thresholds, as the kubelet computes them.
 */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import {
  formatBytes,
  isHugepages,
  type ResourceAmounts,
  type ResourceList,
  toAmounts,
} from '../resources/amounts.ts';
import { type Threshold, thresholdAmount } from './thresholds.ts';

export interface Hugepages {
  pageBytes: number;
  count: number;
}

export interface CapacityOptions {
  /** On the file system that ephemeral storage comes from. */
  rootDir: string;
  maxPods: number;
}

export async function machineCapacity({ rootDir, maxPods }: CapacityOptions): Promise<ResourceAmounts> {
  const { blocks, bsize } = await statfs(rootDir);
  const hugepages = (await machineHugepages()).map(
    ({ pageBytes, count }) => [`hugepages-${formatBytes(pageBytes)}`, pageBytes * count] as const,
  );
  return {
    cpu: (await onlineCpus()) * 1000,
    memory: totalmem(),
    'ephemeral-storage': blocks * bsize,
    pods: maxPods,
    ...Object.fromEntries(hugepages),
  };
}

/** The sizes that the kernel offers, also those of which no page is reserved. */
export async function machineHugepages(): Promise<Hugepages[]> {
  let names: string[];
  try {
    names = await readdir(hugepagesDir);
  } catch (error) {
    // A kernel without huge pages has no such directory.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const sizes = names.flatMap((name) => {
    const kilobytes = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    return kilobytes === undefined ? [] : [{ name, pageBytes: Number(kilobytes) * 1024 }];
  });
  return Promise.all(
    sizes.map(async ({ name, pageBytes }) => ({
      pageBytes,
      count: Number(await readFile(join(hugepagesDir, name, 'nr_hugepages'), 'utf8')),
    })),
  );
}

export interface Reservations {
  kubeReserved: ResourceList;
  systemReserved: ResourceList;
}

/** For the node's status and for admission. */
export function allocatable(
  capacity: ResourceAmounts,
  reservations: Reservations,
  thresholds: readonly Threshold[],
): ResourceAmounts {
  const hard = thresholds.filter(({ graceMs }) => graceMs === 0);
  const kept = (signal: Threshold['signal'], resource: string) => {
    const threshold = hard.find((candidate) => candidate.signal === signal);
    return threshold === undefined ? 0 : thresholdAmount(threshold, capacity[resource] ?? 0);
  };
  const evictionReserve: ResourceAmounts = {
    memory: kept('memory.available', 'memory'),
    'ephemeral-storage': kept('nodefs.available', 'ephemeral-storage'),
  };
  return subtract(unreserved(capacity, reservations), evictionReserve);
}

/** What all pods together are held to: the eviction thresholds are left for eviction to act before the kernel does. */
export function unreserved(capacity: ResourceAmounts, reservations: Reservations): ResourceAmounts {
  const hugepageBytes = Object.entries(capacity).reduce(
    (total, [name, amount]) => (isHugepages(name) ? total + amount : total),
    0,
  );
  const reserved = [toAmounts(reservations.kubeReserved), toAmounts(reservations.systemReserved)];
  return [...reserved, { memory: hugepageBytes }].reduce<ResourceAmounts>(subtract, capacity);
}

const hugepagesDir = '/sys/kernel/mm/hugepages';

const subtract = (from: ResourceAmounts, amounts: ResourceAmounts): ResourceAmounts =>
  Object.fromEntries(
    Object.entries(from).map(([name, amount]) => [name, Math.max(amount - (amounts[name] ?? 0), 0)]),
  );

/** The machine's, not the agent's own: its cpuset or affinity does not bind the pods. */
async function onlineCpus(): Promise<number> {
  const list = await readFile('/sys/devices/system/cpu/online', 'utf8').catch(() => '');
  return cpuListLength(list) || cpus().length || 1;
}

/** `0-3,6` is 5. */
export function cpuListLength(list: string): number {
  const ranges = [...list.matchAll(/(\d+)(?:-(\d+))?/g)];
  return ranges.reduce((total, [, first, last]) => total + Number(last ?? first) - Number(first) + 1, 0);
}
