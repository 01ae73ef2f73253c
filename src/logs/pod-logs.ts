/**
 * Follows what the containers of some pods write, every instance of each container from its first line to its last, over
 * rotated files and restarts, and while nobody listens: by its place in the file, never by the time, which may be set.
 */
import { once, setMaxListeners } from 'node:events';
import type { Logger } from '../log.ts';
import { hasRun, isAlive } from '../pods/actual.ts';
import type { PodWorker } from '../pods/worker.ts';
import { readLogAs } from './read.ts';
import { type WholeLine, wholeLines } from './whole-lines.ts';

export interface PodLogsOptions {
  workers(): Iterable<FollowedWorker>;
  worker(uid: string): FollowedWorker | undefined;
  onPodChange(listener: (uid: string) => void): () => void;
  isWanted(worker: FollowedWorker): boolean;
  log: Logger;
  /** Ends it all. */
  signal: AbortSignal;
}

export type FollowedWorker = Pick<PodWorker, 'uid' | 'pod' | 'actual' | 'adopted'>;

export type OnPodLine = (uid: string, container: string, line: WholeLine) => void;

export interface PodLogs {
  /**
   * Begins to follow when it is first called; of instances that an earlier life of the agent started only what they write
   * from then on. Returns the function that ends the listening: what is written then waits in the files for the next
   * listener, as long as the runtime knows the instance.
   */
  listen(onLine: OnPodLine): () => void;
}

interface Followed {
  /** The instance has ended. */
  ended: AbortController;
  /** The runtime has forgotten it, or its pod is not followed any more. */
  unwanted: AbortController;
}

export function podLogs(o: PodLogsOptions): PodLogs {
  /** By uid and container id. */
  const followed = new Map<string, Map<string, Followed>>();
  let isFollowing = false;
  let listener: OnPodLine | undefined;
  const arrivals = new EventTarget();
  // Each container that waits for one is on it.
  setMaxListeners(0, arrivals);

  /** Undefined: there will be none for an instance that is let go meanwhile. */
  async function nextListener(unwanted: AbortSignal): Promise<OnPodLine | undefined> {
    const giveUp = AbortSignal.any([unwanted, o.signal]);
    while (listener === undefined && !giveUp.aborted) {
      await once(arrivals, 'listener', { signal: giveUp }).catch(() => undefined);
    }
    return listener;
  }

  async function follow(uid: string, container: string, path: string, isToldBefore: boolean, f: Followed) {
    const from = isToldBefore ? { tailLines: 0 } : {};
    try {
      const lines = readLogAs(wholeLines(), path, { ...from, followUntil: f.ended.signal }, o.signal);
      for await (const some of lines) {
        for (const line of some) {
          const onLine = listener ?? (await nextListener(f.unwanted.signal));
          if (onLine === undefined) return;
          onLine(uid, container, line);
        }
      }
    } catch (err) {
      if (!o.signal.aborted) o.log.warn({ err, podUid: uid, container }, 'cannot follow the log');
    }
  }

  function look(uid: string): void {
    const worker = o.worker(uid);
    const known = followed.get(uid) ?? new Map<string, Followed>();
    const isWanted = worker !== undefined && o.isWanted(worker);
    const instances = (worker?.actual.containers ?? []).filter((c) => hasRun(c) && c.logPath !== '');
    for (const { id, logPath, metadata } of isWanted ? instances : []) {
      const before = known.get(id);
      if (before !== undefined && !before.unwanted.signal.aborted) continue;
      const instance = { ended: new AbortController(), unwanted: new AbortController() };
      known.set(id, instance);
      // What was followed before is told already, as far as it was wanted.
      const isToldBefore = before !== undefined || worker?.adopted.has(id) === true;
      void follow(uid, metadata.name, logPath, isToldBefore, instance);
    }
    for (const [id, { ended, unwanted }] of known) {
      const instance = instances.find((each) => each.id === id);
      if (!isWanted || instance === undefined || !isAlive(instance)) ended.abort();
      if (!isWanted || instance === undefined) unwanted.abort();
      if (instance === undefined) known.delete(id);
    }
    if (known.size === 0) followed.delete(uid);
    else followed.set(uid, known);
  }

  return {
    listen(onLine) {
      listener = onLine;
      arrivals.dispatchEvent(new Event('listener'));
      if (!isFollowing) {
        isFollowing = true;
        o.signal.addEventListener('abort', o.onPodChange(look), { once: true });
        for (const { uid } of o.workers()) look(uid);
      }
      return () => {
        if (listener === onLine) listener = undefined;
      };
    },
  };
}
