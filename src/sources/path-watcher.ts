/**
 * Tells that something at a path may have changed, by inotify. Only a hint: without it (no inotify instances left, a
 * network file system) the periodic relist does the work.
 */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Logger } from '../log.ts';

export interface PathWatcher {
  /** Looks whether the right thing is watched; call it before each relist, as what is watched may be replaced. */
  ensure(): Promise<void>;
  close(): void;
}

export function pathWatcher(path: string, onChange: () => void, log: Logger): PathWatcher {
  let watched: { identity: string; watcher: FSWatcher } | undefined;
  let hasComplained = false;
  const close = (): void => {
    watched?.watcher.close();
    watched = undefined;
  };
  return {
    close,
    async ensure() {
      const target = await watchTarget(path);
      if (target?.identity === watched?.identity) return;
      close();
      if (target === undefined) return;
      try {
        const watcher = watch(target.directory, { persistent: false }, (_, name) => {
          if (target.isRelevant(name)) onChange();
        });
        watcher.on('error', () => {
          close();
          onChange();
        });
        watched = { identity: target.identity, watcher };
      } catch (err) {
        if (!hasComplained)
          log.warn({ err, path }, 'cannot watch the manifests; changes are seen by relists only');
        hasComplained = true;
      }
    },
  };
}

interface WatchTarget {
  directory: string;
  /** Device and inode: another directory under the same name must be watched anew. */
  identity: string;
  isRelevant(name: string | null): boolean;
}

/** The directory itself; for a file, or a directory that is not there yet, the one that it would be in. */
async function watchTarget(path: string): Promise<WatchTarget | undefined> {
  for (const directory of [path, dirname(path)]) {
    try {
      const stats = await stat(directory);
      if (!stats.isDirectory()) continue;
      const isRelevant = (name: string | null): boolean =>
        directory === path || name === null || name === basename(path);
      return { directory, identity: `${directory} ${stats.dev}:${stats.ino}`, isRelevant };
    } catch {
      // Not there or not allowed: the relist says so; here only the next candidate counts.
    }
  }
  return undefined;
}
