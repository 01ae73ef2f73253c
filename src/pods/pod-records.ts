/** What is kept on disk of each pod: at once where a later life of the agent depends on it, its status now and then. */
import type { Pod, PodStatus } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { isClusterPod } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import { withStatus } from './identity.ts';
import type { PodRecord } from './pod-record.ts';

const kind = 'pod-records';

/** How long a status may differ from the one on disk. It is only a memory aid: readiness and times of transition. */
const statusSaveDelayMs = 1000;

export class PodRecords {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; record: () => PodRecord }>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  async load(): Promise<PodRecord[]> {
    return (await this.#store.load<PodRecord>(kind)).map(({ value }) => value);
  }

  put(uid: string, record: PodRecord): Promise<void> {
    // What was to be written soon is in it.
    clearTimeout(this.#waiting.get(uid)?.timer);
    this.#waiting.delete(uid);
    return this.#store.put(kind, uid, record);
  }

  /** @param record asked for when it is written */
  putSoon(uid: string, record: () => PodRecord): void {
    if (this.#waiting.has(uid)) return;
    const timer = setTimeout(() => {
      this.put(uid, record()).catch((err: unknown) =>
        this.#log.error({ err, podUid: uid }, 'cannot save the status of a pod'),
      );
    }, statusSaveDelayMs);
    this.#waiting.set(uid, { timer, record });
  }

  /** Writes what is still waiting to be written. */
  async flush(): Promise<void> {
    await Promise.all([...this.#waiting].map(([uid, { record }]) => this.put(uid, record())));
  }

  async delete(uid: string): Promise<void> {
    clearTimeout(this.#waiting.get(uid)?.timer);
    this.#waiting.delete(uid);
    await this.#store.delete(kind, uid);
  }
}

/** Of a pod that is seen for the first time. */
export const newRecord = (pod: Pod, nowMs: number) => ({
  pod: withStatus(pod, undefined),
  firstSeenMs: nowMs,
  ended: false,
  removing: false,
  ...statusSoFar(pod),
});

/** What the cluster was told of the pod, by the scheduler or by an agent that lost its memory, goes on. */
const statusSoFar = (pod: Pod): { status?: PodStatus } =>
  isClusterPod(pod) && pod.status !== undefined ? { status: pod.status } : {};
