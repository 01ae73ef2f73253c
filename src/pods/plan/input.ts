/** All that a plan depends on: what is wanted, what there is, what probes found, and the time. */
import type { Container, Pod } from '../../api/core.gen.ts';
import type { ProbeResults } from '../../probes/results.ts';
import type { Waiting } from '../actions.ts';
import type { ActualPod } from '../actual.ts';
import type { BackoffConfig } from '../backoff.ts';

export type Intent =
  /** `gate`: why the first container has to wait for others; the pod is prepared meanwhile. */
  | { kind: 'run'; gate?: Waiting & { unmet: readonly string[] } }
  /** All that containers need is there, none of them runs. */
  | { kind: 'prepare'; why: Waiting }
  /** Nothing of the pod is on the machine. */
  | { kind: 'clear'; why: Waiting }
  /** The pod is to end; this is what is left of its grace. */
  | { kind: 'stop'; graceMs: number };

export interface PlanInput {
  pod: Pod;
  intent: Intent;
  actual: ActualPod;
  probes: ProbeResults;
  backoff: BackoffConfig;
  /** Hash of a container's spec as written on its instances. */
  containerHash: (container: Container) => string;
  /** Ids of instances that were killed only to be started again. */
  replaced: ReadonlySet<string>;
  /** Names of containers whose image was made sure of. */
  pulled: ReadonlySet<string>;
  /** Restarts that were counted before the instances that are there now, by container name. */
  restartCounts: ReadonlyMap<string, number>;
  /** What is allocated to the pod was not wholly applied yet. */
  resizing: boolean;
  /** When the pod was first seen, for activeDeadlineSeconds. */
  startedAtMs: number;
  nowMs: number;
}
