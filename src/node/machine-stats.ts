/** How much of the machine is left, by eviction signal, and what is wrong with its file systems. */
import { readFile, stat, statfs } from 'node:fs/promises';
import type { Pressure } from './conditions.ts';
import type { EvictionSignal } from './thresholds.ts';

export interface Observation {
  available: number;
  capacity: number;
}

export type Observations = ReadonlyMap<EvictionSignal, Observation>;

/**
 * @param rootDir on the node's file system.
 * @param imageDirs on the file systems that images are kept on; unmounted or unknown ones do not count.
 */
export async function observeMachine(rootDir: string, imageDirs: readonly string[]): Promise<Observations> {
  const nodefs = await observeFilesystem(rootDir);
  // A directory of an engine that has its own view of the machine may not be here.
  const found = await Promise.all(imageDirs.map((dir) => observeFilesystem(dir).catch(() => undefined)));
  const imagefs = found.filter((fs) => fs !== undefined);
  const fullest = (pick: 'bytes' | 'inodes') =>
    imagefs.map((fs) => fs[pick]).sort((a, b) => a.available / a.capacity - b.available / b.capacity)[0];
  const entries: [EvictionSignal, Observation | undefined][] = [
    ['memory.available', observeMemory(await readFile('/proc/meminfo', 'utf8'))],
    ['nodefs.available', nodefs.bytes],
    ['nodefs.inodesFree', nodefs.inodes],
    ['imagefs.available', fullest('bytes')],
    ['imagefs.inodesFree', fullest('inodes')],
    ['pid.available', await observePids()],
  ];
  // Some file systems (btrfs, overlay on it) have no fixed number of inodes and say 0.
  return new Map(
    entries.filter((entry): entry is [EvictionSignal, Observation] => (entry[1]?.capacity ?? 0) > 0),
  );
}

/** Whether images, and with them the writable layers of containers, are on other file systems than the node's files. */
export async function hasDedicatedImageFs(rootDir: string, imageDirs: readonly string[]): Promise<boolean> {
  const { dev } = await stat(rootDir);
  const found = await Promise.all(imageDirs.map((dir) => stat(dir).catch(() => undefined)));
  const devices = found.filter((each) => each !== undefined);
  return devices.length > 0 && devices.every((each) => each.dev !== dev);
}

/**
 * What is used up so far that starting a pod must fail. Told also where no eviction threshold is set for it: it is no
 * matter of policy then.
 */
export function exhausted(observations: Observations): Set<Pressure> {
  const left = (signal: EvictionSignal) => observations.get(signal)?.available ?? Number.POSITIVE_INFINITY;
  const pressures = new Set<Pressure>();
  if (left('nodefs.available') < minFreeBytes || left('nodefs.inodesFree') < 1) pressures.add('DiskPressure');
  if (left('pid.available') < minFreePids) pressures.add('PIDPressure');
  return pressures;
}

/** Memory that pods can still get: what is free, and the file cache that the kernel drops first. */
export function observeMemory(meminfo: string): Observation {
  const bytes = meminfoBytes(meminfo);
  const capacity = bytes.get('MemTotal') ?? 0;
  return {
    capacity,
    available: Math.min((bytes.get('MemFree') ?? 0) + (bytes.get('Inactive(file)') ?? 0), capacity),
  };
}

/** /proc/meminfo by name, in bytes. */
export function meminfoBytes(meminfo: string): ReadonlyMap<string, number> {
  const lines = [...meminfo.matchAll(/^([^:]+):\s+(\d+)( kB)?$/gm)];
  return new Map(lines.map(([, name = '', value, unit]) => [name, Number(value) * (unit ? 1024 : 1)]));
}

/** Whether the file system of a directory is mounted read-only, as after an I/O error. */
export function isReadOnly(mountinfo: string, dir: string): boolean {
  let best: { mountPoint: string; readOnly: boolean } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , , escaped, options] = before.split(' ');
    if (escaped === undefined || options === undefined) continue;
    const mountPoint = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const within = mountPoint === '/' || dir === mountPoint || dir.startsWith(`${mountPoint}/`);
    if (!within || (best !== undefined && best.mountPoint.length > mountPoint.length)) continue;
    const superOptions = after.split(' ')[2] ?? '';
    const words = [...options.split(','), ...superOptions.split(',')];
    // ext4 of newer kernels stays `rw` after an error and adds the other word.
    best = { mountPoint, readOnly: words.includes('ro') || words.includes('emergency_ro') };
  }
  return best?.readOnly ?? false;
}

/** Less than one record of the agent's own. */
const minFreeBytes = 64 * 1024;
/** What a runtime needs to start one container: shims and runtimes written in Go have a dozen threads each. */
const minFreePids = 64;

async function observeFilesystem(dir: string): Promise<{ bytes: Observation; inodes: Observation }> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(dir);
  return {
    bytes: { capacity: blocks * bsize, available: bavail * bsize },
    inodes: { capacity: files, available: ffree },
  };
}

/** Threads count, because each takes a pid. */
async function observePids(): Promise<Observation> {
  const number = async (path: string) => Number(await readFile(path, 'utf8'));
  const capacity = Math.min(
    await number('/proc/sys/kernel/pid_max'),
    await number('/proc/sys/kernel/threads-max'),
  );
  const threads = Number(/\/(\d+)/.exec(await readFile('/proc/loadavg', 'utf8'))?.[1] ?? 0);
  return { capacity, available: Math.max(capacity - threads, 0) };
}
