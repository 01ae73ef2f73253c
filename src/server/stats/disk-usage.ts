/** What a directory tree takes on disk, as `du` counts it, remembered for a while: trees are walked, not watched. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskUsage {
  timestampMs: number;
  usedBytes: number;
  inodesUsed: number;
}

export interface DiskUsageReader {
  /** A tree that is not there takes nothing. */
  of(path: string, signal: AbortSignal): Promise<DiskUsage>;
}

const blockBytes = 512;

/** The kubelet too looks at each volume once a minute. */
export function diskUsageReader(nowMs: () => number, maxAgeMs = 60_000): DiskUsageReader {
  const known = new Map<string, DiskUsage>();
  return {
    of: async (path, signal) => {
      const before = known.get(path);
      if (before && nowMs() - before.timestampMs < maxAgeMs) return before;
      for (const [each, { timestampMs }] of known) if (nowMs() - timestampMs > maxAgeMs) known.delete(each);
      const usage: DiskUsage = { timestampMs: nowMs(), usedBytes: 0, inodesUsed: 0 };
      await add(path, usage, new Set(), signal);
      known.set(path, usage);
      return usage;
    },
  };
}

/** Symbolic links are counted, not followed; a file with several names counts once. */
async function add(path: string, usage: DiskUsage, seen: Set<string>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const stats = await unlessGone(lstat(path));
  if (!stats || seen.has(`${stats.dev}:${stats.ino}`)) return;
  if (stats.nlink > 1) seen.add(`${stats.dev}:${stats.ino}`);
  usage.usedBytes += stats.blocks * blockBytes;
  usage.inodesUsed += 1;
  if (!stats.isDirectory()) return;
  for (const name of (await unlessGone(readdir(path))) ?? [])
    await add(join(path, name), usage, seen, signal);
}

async function unlessGone<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
