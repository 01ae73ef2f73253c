/** What the machine as a whole uses, from /proc and the file system of the agent's directory. */
import type { StatsFs } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { meminfoBytes, observeMemory } from '../../node/machine-stats.ts';
import { type Pressures, pressures } from '../../resources/cgroup-details.ts';

export interface NodeUsage {
  timestampMs: number;
  bootedAtMs: number;
  cpuUsageCoreNanoSeconds: bigint;
  memory: {
    availableBytes: number;
    usageBytes: number;
    workingSetBytes: number;
    rssBytes: number;
    pageFaults: number;
    majorPageFaults: number;
  };
  swap: { usageBytes: number; availableBytes: number; capacityBytes: number };
  pressure: Pressures;
  processes: { max: number; current: number };
}

export interface FilesystemSpace {
  availableBytes: number;
  capacityBytes: number;
  /** Without what is kept for root, which is not available either. */
  usedBytes: number;
  inodesFree: number;
  inodes: number;
}

/** The unit of /proc/stat is USER_HZ, 100 on every Linux that Node runs on. */
const nanosecondsPerTick = 10_000_000n;

export async function nodeUsage(nowMs: number): Promise<NodeUsage> {
  const [stat, meminfo, loadavg, pidMax, vmstat] = await Promise.all(
    ['/proc/stat', '/proc/meminfo', '/proc/loadavg', '/proc/sys/kernel/pid_max', '/proc/vmstat'].map((path) =>
      readFile(path, 'utf8'),
    ),
  );
  return {
    timestampMs: nowMs,
    bootedAtMs: Number(/^btime (\d+)$/m.exec(stat!)?.[1]) * 1000,
    cpuUsageCoreNanoSeconds: busyTicks(stat!) * nanosecondsPerTick,
    memory: memoryUsage(meminfo!, vmstat!),
    swap: swapUsage(meminfo!),
    pressure: await machinePressure(),
    processes: { max: Number(pidMax), current: Number(/\/(\d+)/.exec(loadavg!)?.[1]) },
  };
}

export const filesystemSpace = async (path: string): Promise<FilesystemSpace> => spaceOf(await statfs(path));

export const spaceOf = ({
  bavail,
  bfree,
  bsize,
  blocks,
  ffree,
  files,
}: Pick<StatsFs, 'bavail' | 'bfree' | 'bsize' | 'blocks' | 'ffree' | 'files'>): FilesystemSpace => ({
  availableBytes: bavail * bsize,
  capacityBytes: blocks * bsize,
  usedBytes: (blocks - bfree) * bsize,
  inodesFree: ffree,
  inodes: files,
});

/** All that is not idle: user, nice, system, irq, softirq, steal. Guests are in user already. */
function busyTicks(stat: string): bigint {
  const [user, nice, system, , , irq, softirq, steal] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ');
  return [user, nice, system, irq, softirq, steal].reduce((sum, ticks) => sum + BigInt(ticks ?? 0), 0n);
}

async function machinePressure(): Promise<Pressures> {
  const resources = ['cpu', 'memory', 'io'] as const;
  // A kernel without it has no such files.
  const texts = await Promise.all(
    resources.map((resource) => readFile(`/proc/pressure/${resource}`, 'utf8').catch(() => undefined)),
  );
  return pressures((resource) => texts[resources.indexOf(resource)]);
}

function swapUsage(meminfo: string): NodeUsage['swap'] {
  const bytes = meminfoBytes(meminfo);
  const capacityBytes = bytes.get('SwapTotal') ?? 0;
  const availableBytes = bytes.get('SwapFree') ?? 0;
  return { usageBytes: capacityBytes - availableBytes, availableBytes, capacityBytes };
}

function memoryUsage(meminfo: string, vmstat: string): NodeUsage['memory'] {
  const { available, capacity } = observeMemory(meminfo);
  const bytes = meminfoBytes(meminfo);
  return {
    availableBytes: available,
    usageBytes: capacity - (bytes.get('MemFree') ?? 0),
    workingSetBytes: capacity - available,
    rssBytes: bytes.get('AnonPages') ?? 0,
    pageFaults: Number(/^pgfault (\d+)$/m.exec(vmstat)?.[1] ?? 0),
    majorPageFaults: Number(/^pgmajfault (\d+)$/m.exec(vmstat)?.[1] ?? 0),
  };
}
