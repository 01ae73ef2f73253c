/**
 * Follows what the containers of some pods write, every instance of each container from its first line to its last, over
 * rotated files and restarts.
 */
import type { Logger } from '../log.ts';
import { hasRun, isAlive } from '../pods/actual.ts';
import type { PodWorker } from '../pods/worker.ts';
import { readLogAs } from './read.ts';
import { type WholeLine, wholeLines } from './whole-lines.ts';

export interface PodLogsOptions {
  workers(): Iterable<PodWorker>;
  worker(uid: string): PodWorker | undefined;
  onPodChange(listener: (uid: string) => void): () => void;
  isWanted(worker: PodWorker): boolean;
  /** Epoch. What was written before is left out: whoever follows told it before, or was not there. */
  sinceMs: number;
  onLine(uid: string, container: string, line: WholeLine): void;
  log: Logger;
}

/** Returns the function that ends it. */
export function followPodLogs(o: PodLogsOptions): () => void {
  const ending = new AbortController();
  /** By uid and container id; aborted when the instance has ended. They stay until the runtime has forgotten it. */
  const followed = new Map<string, Map<string, AbortController>>();

  async function follow(uid: string, container: string, path: string, ended: AbortSignal): Promise<void> {
    try {
      const lines = readLogAs(
        wholeLines(o.sinceMs),
        path,
        { sinceMs: o.sinceMs, followUntil: ended },
        ending.signal,
      );
      for await (const some of lines) for (const line of some) o.onLine(uid, container, line);
    } catch (err) {
      if (!ending.signal.aborted) o.log.warn({ err, podUid: uid, container }, 'cannot follow the log');
    }
  }

  function look(uid: string): void {
    const worker = o.worker(uid);
    const known = followed.get(uid) ?? new Map<string, AbortController>();
    const isWanted = worker !== undefined && o.isWanted(worker);
    const instances = isWanted ? worker.actual.containers.filter((c) => hasRun(c) && c.logPath !== '') : [];
    for (const { id, logPath, metadata } of instances) {
      if (known.has(id)) continue;
      const ended = new AbortController();
      known.set(id, ended);
      void follow(uid, metadata.name, logPath, ended.signal);
    }
    for (const [id, ended] of known) {
      const instance = instances.find((each) => each.id === id);
      if (instance === undefined || !isAlive(instance)) ended.abort();
      if (instance === undefined) known.delete(id);
    }
    if (known.size === 0) followed.delete(uid);
    else followed.set(uid, known);
  }

  const unsubscribe = o.onPodChange(look);
  for (const { uid } of o.workers()) look(uid);
  return () => {
    unsubscribe();
    ending.abort();
  };
}
