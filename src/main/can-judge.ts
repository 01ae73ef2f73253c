/** Whether enough is known of the node to say whether a pod can run on it. */
import type { Pod } from '../api/core.gen.ts';
import type { Cluster } from '../cluster/index.ts';
import { hostProcessRuntimeClass } from '../pods/identity.ts';
import type { RuntimeHealth } from '../runtime-health.ts';
import { isClusterPod } from '../sources/source.ts';

export interface Knowledge {
  cluster: Pick<Cluster, 'isHandlerKnown' | 'node' | 'lastNode'> | undefined;
  handlerOf(pod: Pod): string;
  health: Pick<RuntimeHealth, 'isKnown'>;
}

/** @param isFinal a refusal is told to the API server, and not taken back */
export function canJudge(pod: Pod, isFinal: boolean, { cluster, handlerOf, health }: Knowledge): boolean {
  if (cluster !== undefined && isClusterPod(pod)) {
    // Before that is known its class is nothing but a name.
    if (!cluster.isHandlerKnown(pod)) return false;
    if ((isFinal ? cluster.node() : cluster.lastNode()) === undefined) return false;
  }
  return health.isKnown() || needsNoAnswer.has(handlerOf(pod));
}

/** Of a container runtime. */
const needsNoAnswer: ReadonlySet<string> = new Set(['', hostProcessRuntimeClass]);
