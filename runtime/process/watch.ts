/**
 * Tells at once when a start or an exit is written. inotify may run out of watches or lose events, so whoever waits
 * also looks again from time to time.
 */
import { EventEmitter, once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from '../../src/log.ts';
import { RuntimeError } from '../runtime.ts';

export interface DirectoryWatch {
  /** Called with the name of each file that appears or changes. */
  onChange(listener: (name: string) => void): () => void;
  /** Looks until `look` finds something. @throws RuntimeError `Cancelled` when the signal aborts. */
  until<T>(name: string, look: () => Promise<T | undefined>, signal: AbortSignal | undefined): Promise<T>;
}

const lookAgainMs = 200;

export function watchDirectory(directory: string, log: Logger): DirectoryWatch {
  const changes = new EventEmitter().setMaxListeners(0);
  openWatch(directory, log, (name) => {
    changes.emit('change', name);
    changes.emit(`change:${name}`);
  });
  return {
    onChange(listener) {
      changes.on('change', listener);
      return () => changes.off('change', listener);
    },
    async until(name, look, signal) {
      for (;;) {
        // Waiting begins before looking, so that no change falls in between.
        const woken = new AbortController();
        const change = Promise.race([
          once(changes, `change:${name}`, { signal: woken.signal }),
          timeout(lookAgainMs, woken.signal),
          ...(signal ? [aborted(signal, woken.signal)] : []),
        ]).catch((error: unknown) => {
          if (!woken.signal.aborted) throw error;
        });
        try {
          if (signal?.aborted) throw cancelled();
          const found = await look();
          if (found !== undefined) return found;
          await change;
        } finally {
          woken.abort();
        }
      }
    },
  };
}

export const cancelled = (): RuntimeError =>
  new RuntimeError('Cancelled', 'the call was cancelled while it waited');

function openWatch(directory: string, log: Logger, changed: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, (_type, name) => {
      if (name && !name.startsWith('.') && !name.endsWith('.tmp')) changed(name);
    });
    watcher.on('error', (err) => log.error({ err, directory }, 'the watch on a state directory broke'));
    return watcher;
  } catch (err) {
    log.warn(
      { err, directory },
      'state directory cannot be watched: exits are seen later than they could be',
    );
    return undefined;
  }
}

const timeout = (ms: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });

const aborted = (signal: AbortSignal, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const listener = (): void => resolve();
    signal.addEventListener('abort', listener, { once: true });
    stop.addEventListener('abort', () => signal.removeEventListener('abort', listener), { once: true });
  });
