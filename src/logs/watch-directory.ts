/** Waits for a change in a directory: by inotify, and by the clock where that does not work or has no room. */
import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface DirectoryWatch {
  /** Resolves when something changed since the last call, after a while in any case, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
}

const pollIntervalMs = 1000;
/** Lines that come fast are taken together. */
const settleMs = 10;

export function watchDirectory(path: string): DirectoryWatch {
  let wake = new AbortController();
  const watcher = openWatch(path, () => wake.abort());
  return {
    changed: async (signal) => {
      await sleepUntil(pollIntervalMs, AbortSignal.any([signal, wake.signal]));
      await sleepUntil(settleMs, signal);
      wake = new AbortController();
    },
    close: () => watcher?.close(),
  };
}

/** Undefined when inotify cannot be had (its watches are used up, the directory is gone): polling goes on. */
function openWatch(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  // The only way to fail is the abort, which ends the wait as it should.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
