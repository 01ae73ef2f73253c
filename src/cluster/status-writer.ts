/**
 * Writes the statuses of pods to the API server, and removes the objects of those that are gone from the machine.
 * Level-triggered: what is written is the difference between the object there and the pod here, so that nothing is
 * lost by a failure, a restart or another writer. One write of a pod at a time, the newest status each time.
 */
import type { Pod, PodStatus } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { podKey, podName, podNamespace, podUid } from '../pods/identity.ts';
import { isStaticPod } from '../sources/source.ts';
import { apiPath, type KubeClient, pause, retryDelayMs } from './client.ts';
import { hasStatus } from './errors.ts';
import { isMirror, type PodSource } from './pod-source.ts';
import { patienceMs, statusPatch } from './status-patch.ts';

export interface StatusWriterOptions {
  client: KubeClient;
  source: PodSource;
  metrics: Pick<Metrics, 'observe'>;
  log: Logger;
}

interface Held {
  /** Monotonic. */
  untilMs: number;
  patienceMs: number;
}

export class StatusWriter {
  readonly #o: StatusWriterOptions;
  /** The last status of each pod of this machine, by the uid of its object in the API server or of its manifest. */
  readonly #ours = new Map<string, Pod>();
  /** Of which nothing runs any more: their objects can go. */
  readonly #gone = new Set<string>();
  /** What the source last had of each, so that a change of one costs nothing for the others. */
  #seen: ReadonlyMap<string, Pod> = new Map();
  readonly #busy = new Set<string>();
  readonly #waiting = new Set<string>();
  /** What was answered, with the version of the object then: not sent again to that, where it had no effect. */
  readonly #sent = new Map<string, string>();
  /** Since when what the API server has is out of date (monotonic), by the uid of the object there. */
  readonly #behindSinceMs = new Map<string, number>();
  /** A status that can wait for a newer one is held back. */
  readonly #held = new Map<string, Held>();
  /** Of which the API server took the deletion a moment ago: the watch is about to show their end. */
  readonly #released = new Set<string>();
  readonly #signal: AbortSignal;

  constructor(options: StatusWriterOptions, signal: AbortSignal) {
    this.#o = options;
    this.#signal = signal;
    options.source.onChange(() => this.#sourceChanged());
  }

  /** The pod with its status of now. */
  observe(pod: Pod): void {
    const uid = podUid(pod);
    this.#ours.set(uid, pod);
    const target = this.#targetUid(pod);
    if (target !== '' && !this.#behindSinceMs.has(target)) this.#behindSinceMs.set(target, performance.now());
    this.#write(target);
  }

  /** Nothing of the pod runs any more. Its object goes after its last status was told. */
  finalize(uid: string): void {
    this.#gone.add(uid);
    this.#write(uid);
  }

  /** A static pod that is gone; its mirror is removed by who made it. */
  forget(uid: string): void {
    this.#ours.delete(uid);
  }

  #sourceChanged(): void {
    const { source } = this.#o;
    for (const uid of [...this.#gone]) if (source.isRead && source.get(uid) === undefined) this.#drop(uid);
    for (const [uid, pod] of this.#ours) {
      if (isStaticPod(pod)) continue;
      if (source.isRead && source.get(uid) === undefined && this.#gone.has(uid)) this.#drop(uid);
    }
    const before = this.#seen;
    this.#seen = new Map([...source.all()].map((pod) => [podUid(pod), pod]));
    for (const uid of before.keys()) if (!this.#seen.has(uid)) this.#dropTarget(uid);
    for (const [uid, pod] of this.#seen) if (before.get(uid) !== pod) this.#write(uid);
  }

  #drop(uid: string): void {
    this.#ours.delete(uid);
    this.#gone.delete(uid);
    this.#dropTarget(uid);
  }

  /** The API server has the object no more, be it a mirror or a pod of its own. */
  #dropTarget(uid: string): void {
    this.#sent.delete(uid);
    this.#behindSinceMs.delete(uid);
    this.#held.delete(uid);
    this.#released.delete(uid);
  }

  #targetUid(pod: Pod): string {
    if (!isStaticPod(pod)) return podUid(pod);
    for (const candidate of this.#o.source.all()) {
      if (isMirror(candidate) && podKey(candidate) === podKey(pod)) return podUid(candidate);
    }
    return '';
  }

  #ourStatus(target: Pod): PodStatus | undefined {
    if (!isMirror(target)) return this.#ours.get(podUid(target))?.status;
    for (const pod of this.#ours.values()) {
      if (isStaticPod(pod) && podKey(pod) === podKey(target)) return pod.status;
    }
    return undefined;
  }

  #write(uid: string): void {
    if (uid === '' || this.#signal.aborted) return;
    if (this.#busy.has(uid)) {
      this.#waiting.add(uid);
      return;
    }
    this.#busy.add(uid);
    void this.#writeUntilDone(uid).finally(() => {
      this.#busy.delete(uid);
      if (this.#waiting.delete(uid)) this.#write(uid);
    });
  }

  async #writeUntilDone(uid: string): Promise<void> {
    for (let failures = 1; !this.#signal.aborted; failures += 1) {
      const target = this.#o.source.get(uid);
      if (target === undefined) {
        this.#behindSinceMs.delete(uid);
        return;
      }
      try {
        this.#waiting.delete(uid);
        await this.#writeOnce(target);
        return;
      } catch (err) {
        if (this.#signal.aborted) return;
        // Another object of the same name, or none: the watch will show it, and end this.
        const log = failures === 1 && !hasStatus(err, 404, 409) ? 'warn' : 'debug';
        this.#o.log[log](
          { err, pod: podKey(target), podUid: uid },
          'cannot tell the status of a pod, going on trying',
        );
        await this.#o.client.untilRetry(retryDelayMs(failures, err, backoff), this.#signal);
      }
    }
  }

  async #writeOnce(target: Pod): Promise<void> {
    const { client, source } = this.#o;
    const uid = podUid(target);
    const path = apiPath({ resource: 'pods', namespace: podNamespace(target), name: podName(target) });
    const ours = this.#ourStatus(target);
    const status = ours && statusPatch(target.status, ours);
    const isNews = status !== undefined && this.#sent.get(uid) !== sentTo(target, status);
    if (isNews && !this.#gone.has(uid) && this.#hold(uid, patienceMs(target, status))) {
      // Nobody is behind for want of it.
      this.#behindSinceMs.delete(uid);
      return;
    }
    const held = this.#held.get(uid);
    this.#held.delete(uid);
    if (held !== undefined && !this.#behindSinceMs.has(uid))
      this.#behindSinceMs.set(uid, Math.min(held.untilMs, performance.now()));
    if (isNews) {
      // The uid makes it fail for another pod of the same name.
      const pod = await client.patch<Pod>(`${path}/status`, { metadata: { uid }, status }, this.#signal);
      source.written(pod);
      this.#noteWritten(uid);
      // The watch may have been faster than the answer.
      if (source.get(uid) !== undefined) this.#sent.set(uid, sentTo(pod, status));
    } else if (status === undefined) this.#sent.delete(uid);
    this.#behindSinceMs.delete(uid);
    if (!this.#gone.has(uid) || isMirror(target)) return;
    const { deletionTimestamp, deletionGracePeriodSeconds } = target.metadata ?? {};
    // With a grace of 0 it was released already and waits for its finalizers.
    if (deletionTimestamp === undefined || deletionGracePeriodSeconds === 0) return;
    // What the watch tells meanwhile is most often our last status, which comes before the end.
    if (this.#released.has(uid)) return;
    await client.delete(path, { gracePeriodSeconds: 0, preconditions: { uid } }, this.#signal);
    // The watch was faster than the answer.
    if (source.get(uid) === undefined) return;
    this.#released.add(uid);
    // One that lost the deletion is asked again.
    void pause(releaseMs, this.#signal).then(() => {
      this.#released.delete(uid);
      this.#write(uid);
    });
  }

  #noteWritten(uid: string): void {
    const sinceMs = this.#behindSinceMs.get(uid);
    if (sinceMs === undefined) return;
    const seconds = (performance.now() - sinceMs) / 1000;
    this.#o.metrics.observe('kubelet_pod_status_sync_duration_seconds', seconds, {});
  }

  /** Returns whether the status still has to wait; what is written then is that of the end of its time. */
  #hold(uid: string, ms: number): boolean {
    if (ms === 0) return false;
    const held = this.#held.get(uid);
    const nowMs = performance.now();
    // What can wait less has its own time, no longer than that of what was held before.
    const untilMs = Math.min(held?.untilMs ?? nowMs + ms, nowMs + ms);
    if (held !== undefined && held.patienceMs <= ms) return nowMs < held.untilMs;
    this.#held.set(uid, { untilMs, patienceMs: ms });
    if (untilMs <= nowMs) return false;
    void pause(untilMs - nowMs + 1, this.#signal).then(() => this.#write(uid));
    return true;
  }
}

const sentTo = ({ metadata }: Pod, status: object): string =>
  `${metadata?.resourceVersion} ${JSON.stringify(status)}`;

const backoff = { initialMs: 200, maxMs: 10_000 };
const releaseMs = 1000;
