/** What a directory tree takes on disk, remembered for a while: trees are walked, not watched. */
import { stat } from 'node:fs/promises';
import { blockUsage, inodeUsage } from './disk-usage.ts';

export interface DiskUsage {
  timestampMs: number;
  usedBytes: number;
  inodesUsed: number;
}

export interface DiskUsageReader {
  /** A tree that is not there takes nothing. @throws Error when the tree cannot be measured */
  of(path: string, signal: AbortSignal): Promise<DiskUsage>;
}

/** The kubelet too looks at each volume once a minute. */
export function diskUsageReader(nowMs: () => number, maxAgeMs = 60_000): DiskUsageReader {
  const known = new Map<string, DiskUsage & { tree: string }>();
  // One tree at a time: a machine with many pods would start as many programs at once.
  let last: Promise<unknown> = Promise.resolve();

  async function measure(path: string, signal: AbortSignal): Promise<DiskUsage> {
    signal.throwIfAborted();
    const before = known.get(path);
    const tree = await identity(path);
    if (before?.tree === tree && nowMs() - before.timestampMs < maxAgeMs) return before;
    for (const [each, { timestampMs }] of known) if (nowMs() - timestampMs > maxAgeMs) known.delete(each);
    const timestampMs = nowMs();
    const usedBytes = await blockUsage(path, signal);
    const usage = { timestampMs, usedBytes, inodesUsed: await inodeUsage(path, signal), tree };
    known.set(path, usage);
    return usage;
  }

  return {
    of: (path, signal) => {
      const measured = last.then(() => measure(path, signal));
      // The next one begins however this one ends; who asked for this one is told.
      last = measured.catch(() => undefined);
      return measured;
    },
  };
}

/** A tree that was made anew under the same path is another one: a pod that came back is not judged by what it was. */
async function identity(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? '' : `${found.dev}:${found.ino}:${found.birthtimeMs}`;
}
