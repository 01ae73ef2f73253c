/**
 * Pods of which a runtime holds something, and which no worker answers for: they are taken down. Only when they are found
 * so twice, as the first time their worker may just have ended. Pure.
 */
import type { PodRecord } from './pod-record.ts';
import type { SeenPod } from './runtime-watch.ts';

export class Orphans {
  #suspects: ReadonlySet<string> = new Set();

  /** Returns those of the found ones that the last call was given too. */
  confirm(found: readonly SeenPod[]): SeenPod[] {
    const confirmed = found.filter(({ uid }) => this.#suspects.has(uid));
    this.#suspects = new Set(found.map(({ uid }) => uid));
    return confirmed;
  }
}

/** What the containers of a pod get whose own wish is not known. */
const graceMs = 30_000;

/** As much of a pod as its labels tell: enough to take it down. */
export const orphanRecord = ({ uid, namespace, name, runtime }: SeenPod, nowMs: number): PodRecord => ({
  pod: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid },
    spec: { containers: [] },
  },
  firstSeenMs: nowMs,
  stop: { graceMs, deadlineMs: nowMs + graceMs },
  ended: false,
  removing: true,
  runtime: runtime.images === null ? 'process' : 'cri',
});
