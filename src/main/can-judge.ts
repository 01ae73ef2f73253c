/** Whether enough is known of the node to say whether a pod can run on it. */
import type { Pod } from '../api/core.gen.ts';
import type { Cluster } from '../cluster/index.ts';
import { hostProcessRuntimeClass } from '../pods/identity.ts';
import type { RuntimeSet } from '../pods/runtimes.ts';
import type { RuntimeHealth } from '../runtime-health.ts';
import { isClusterPod } from '../sources/source.ts';

export interface Knowledge {
  cluster: Pick<Cluster, 'isHandlerKnown' | 'node' | 'lastNode'> | undefined;
  handlerOf(pod: Pod): string;
  runtimes: Pick<RuntimeSet, 'forHandler'>;
  health: Pick<RuntimeHealth, 'isKnown' | 'supplementalGroupsPolicy'>;
}

/** @param isFinal a refusal is told to the API server, and not taken back */
export function canJudge(
  pod: Pod,
  isFinal: boolean,
  { cluster, handlerOf, runtimes, health }: Knowledge,
): boolean {
  if (cluster !== undefined && isClusterPod(pod)) {
    // Before that is known its class is nothing but a name.
    if (!cluster.isHandlerKnown(pod)) return false;
    if ((isFinal ? cluster.node() : cluster.lastNode()) === undefined) return false;
  }
  if (health.isKnown()) return true;
  const handler = handlerOf(pod);
  if (!needsNoAnswer.has(handler)) return false;
  if (pod.spec?.securityContext?.supplementalGroupsPolicy !== 'Strict') return true;
  return health.supplementalGroupsPolicy(runtimes.forHandler(handler).runtime) !== undefined;
}

/** Of a container runtime, unless it is to keep to a policy that not every runtime can. */
const needsNoAnswer: ReadonlySet<string> = new Set(['', hostProcessRuntimeClass]);
