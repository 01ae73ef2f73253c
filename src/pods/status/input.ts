/** All that a status depends on: what the runtime holds, what probes found, why containers wait, what was told before. */
import type { Pod, PodStatus } from '../../api/core.gen.ts';
import type { ProbeResults } from '../../probes/results.ts';
import type { Waiting } from '../actions.ts';
import type { ActualPod } from '../actual.ts';
import type { PodResize } from '../resize.ts';

export interface StatusInput {
  pod: Pod;
  actual: ActualPod;
  /** Scheme of the container ids: the runtime's name. */
  runtimeName: string;
  probes: ProbeResults;
  /** Why containers wait: back off, image and start errors. */
  waiting: ReadonlyMap<string, Waiting>;
  /** Message of each ended container, by container id. */
  terminationMessages: ReadonlyMap<string, string>;
  previous: PodStatus | undefined;
  startTime: string;
  hostIps: readonly string[];
  qosClass: string;
  /** Set when the pod was ended for a reason of its own: refused, evicted, over its deadline. */
  verdict?: { phase?: 'Failed' | 'Succeeded'; reason?: string; message?: string; disruption?: string };
  /** Nothing of the pod will run again. */
  ended: boolean;
  resize?: PodResize;
  nowMs: number;
}
