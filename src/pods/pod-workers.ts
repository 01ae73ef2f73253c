/**
 * The workers of all pods: each is made from a record, runs until its pod is gone, and is started again when it dies of a
 * defect. For everybody a pod is gone when nothing of it runs or is mounted any more; what is left of it in a runtime and on
 * disk is removed after that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid, withStatus } from './identity.ts';
import type { PodChanges } from './pod-changes.ts';
import type { PodRecord } from './pod-record.ts';
import type { PodRecords } from './pod-records.ts';
import type { RuntimeKind } from './runtimes.ts';
import { type RosFacts, startConditions, unmetConditions } from './start-order.ts';
import { PodWorker } from './worker.ts';
import type { WorkerDeps } from './worker-deps.ts';

export interface PodWorkersOptions {
  records: PodRecords;
  log: Logger;
  now: () => number;
  /** Everything a worker needs that depends on the pod's runtime. @throws RuntimeClassError */
  workerDeps(
    pod: Pod,
    recorded: RuntimeKind | undefined,
  ): Omit<
    WorkerDeps,
    'save' | 'isSaved' | 'startGate' | 'onStatus' | 'onResized' | 'onEnd' | 'log' | 'now'
  > & {
    kind: RuntimeKind;
  };
  nodeName: string;
  /** For pods that start after something in the ROS graph. */
  ros: RosFacts;
}

export interface PodWorkersListeners {
  changes: PodChanges;
  /** Something of the node is free that was held. */
  onFreed(): void;
  /** The pod is gone for everybody. */
  onGone(worker: PodWorker): void;
  /** Nothing is left of it any more: nobody waits for that but its next life. */
  onRemoved(uid: string): void;
  /** Nobody can supervise the pod here: its runtime is not configured any more. */
  onUnsupervised(pod: Pod, err: unknown): void;
}

const restartMs = 5000;

export class PodWorkers {
  readonly #o: PodWorkersOptions & PodWorkersListeners;
  readonly #workers = new Map<string, PodWorker>();
  /** Those whose pod is gone for everybody. */
  readonly #leaving = new Map<string, PodWorker>();
  #signal: AbortSignal = AbortSignal.abort();

  constructor(options: PodWorkersOptions & PodWorkersListeners) {
    this.#o = options;
    options.changes.subscribe(() => this.#wakeWaiting());
  }

  /** Takes up what an earlier life of the agent left. The signal ends all workers, never a pod. */
  start(recorded: readonly PodRecord[], signal: AbortSignal): void {
    this.#signal = signal;
    const end = this.#o.ros.onChange(() => this.#wakeWaiting());
    signal.addEventListener('abort', end, { once: true });
    for (const record of recorded) this.adopt(record, true);
  }

  [Symbol.iterator](): Iterator<PodWorker> {
    return this.#workers.values();
  }

  get(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  /** Whether anything of the pod is still answered for. */
  owns(uid: string): boolean {
    return this.#workers.has(uid) || this.#leaving.has(uid);
  }

  /** Whether the pod is gone for everybody, and something is left of it to be removed. */
  isLeaving(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Returns whether the pod can be supervised. @param isSaved the record is on disk as it is */
  adopt(record: Omit<PodRecord, 'runtime'> & { runtime?: RuntimeKind }, isSaved = false): boolean {
    const uid = podUid(record.pod);
    const { log, now, records, changes, workerDeps } = this.#o;
    let deps: ReturnType<PodWorkersOptions['workerDeps']>;
    try {
      deps = workerDeps(record.pod, record.runtime);
    } catch (err) {
      this.#o.onUnsupervised(record.pod, err);
      return false;
    }
    const { kind, ...rest } = deps;
    const worker = new PodWorker(
      { ...record, runtime: kind },
      {
        ...rest,
        log,
        now,
        isSaved,
        save: (r) => records.put(uid, r),
        startGate: (pod) => this.#startGate(pod),
        onStatus: (pod, status) => {
          records.putSoon(uid, () => worker.record);
          // Whoever was told that it is gone would have it for ever.
          if (!this.#leaving.has(uid)) changes.tell('changed', withStatus(pod, status));
        },
        onResized: () => this.#o.onFreed(),
        onEnd: (what) => this.#ended(worker, what),
      },
    );
    this.#workers.set(uid, worker);
    void this.#supervise(worker);
    return true;
  }

  /** Removes the record of a pod that has no worker. */
  forget(uid: string): void {
    this.#o.records
      .delete(uid)
      .catch((err: unknown) => this.#o.log.error({ err, podUid: uid }, 'cannot forget a pod that is gone'));
  }

  /** A worker that dies of a defect takes its pod up again: nothing else would. */
  async #supervise(worker: PodWorker): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await worker.run(this.#signal);
        return;
      } catch (err) {
        this.#o.log.fatal({ err, pod: worker.key, podUid: worker.uid }, 'pod worker died, starting it again');
        await delay(restartMs, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
  }

  #ended(worker: PodWorker, what: 'ended' | 'released' | 'removed'): void {
    const { uid } = worker;
    // That it is released follows at once.
    if (what === 'ended' && worker.record.removing) return;
    if (what === 'released') this.#leave(worker);
    if (what === 'removed') {
      this.#leaving.delete(uid);
      this.forget(uid);
      this.#o.onRemoved(uid);
      return;
    }
    this.#o.onFreed();
  }

  #leave(worker: PodWorker): void {
    if (this.#leaving.has(worker.uid)) return;
    this.#workers.delete(worker.uid);
    this.#leaving.set(worker.uid, worker);
    this.#o.onGone(worker);
    this.#o.changes.tell('gone', withStatus(worker.pod, worker.status));
  }

  #startGate(pod: Pod): string[] {
    // Most pods wait for nobody.
    if (startConditions(pod).length === 0) return [];
    const known = [...this.#workers.values()].flatMap(({ pod, lifecycle }) =>
      lifecycle === undefined ? [] : [{ pod, lifecycle }],
    );
    return unmetConditions(pod, this.#o.nodeName, known, this.#o.ros);
  }

  #wakeWaiting(): void {
    for (const worker of this.#workers.values()) if (worker.isWaiting) worker.wake(false);
  }
}
