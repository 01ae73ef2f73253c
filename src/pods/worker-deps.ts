/** What a pod's worker is given: the runtime of its pod with all that acts on it, and whom it tells. */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Container, Pod, PodStatus } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ProbeResults } from '../probes/results.ts';
import type { ActualReader } from './actual-reader.ts';
import type { BackoffConfig } from './backoff.ts';
import type { PodEffects } from './effects.ts';
import type { PodRecord } from './pod-record.ts';
import type { Removals } from './removals.ts';
import type { Turns } from './turns.ts';

export interface WorkerDeps {
  runtime: Runtime;
  reader: Pick<ActualReader, 'read'>;
  effects: PodEffects;
  removals: Pick<Removals, 'during' | 'run'>;
  turns: Turns;
  probes: ProbeResults;
  backoff: BackoffConfig;
  containerHash: (container: Container) => string;
  hostIps: () => readonly string[];
  /** For what the pod's first container has to wait. */
  startGate(pod: Pod): readonly string[];
  qosClass: (pod: Pod) => string;
  /** What the pod of the uid has waited for its images to be pulled. */
  pulledMs(uid: string): number;
  metrics: Pick<Metrics, 'observe'>;
  log: Logger;
  now: () => number;
  /** How often everything is looked at without a hint. */
  resyncMs: number;
  /** The record that the worker is made from is on disk. */
  isSaved: boolean;
  /** The record must be on disk before the promise resolves. */
  save(record: PodRecord): Promise<void>;
  onStatus(pod: Pod, status: PodStatus): void;
  /** What a resize gave back is free for others. */
  onResized(): void;
  /**
   * Resources are free again (`ended`); of a pod that is not desired any more only records are left, in the runtime and
   * on disk, and nobody has to wait for those to go (`released`, perhaps more than once); it is gone altogether
   * (`removed`).
   */
  onEnd(what: 'ended' | 'released' | 'removed'): void;
}
