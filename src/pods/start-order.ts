/**
 * Holds a pod's start conditions (`roslet.dev/after`) against what is there. Pure: the agent asks again whenever a pod
 * or the ROS graph changes.
 */
import type { Pod } from '../api/core.gen.ts';
import {
  formatCondition,
  type PodConditionState,
  parseStartOrder,
  type StartCondition,
} from '../api/start-order.ts';
import { afterAnnotation } from '../api/validate/annotations.ts';
import { podKey, podName, podNamespace } from './identity.ts';
import type { PodLifecycle } from './lifecycle.ts';

/** What is known of the ROS graph. */
export interface RosFacts {
  /** A text says why it cannot be known. */
  has(kind: 'topic' | 'node' | 'service', name: string): boolean | string;
  /** Called after any change of the graph. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
}

export interface KnownPod {
  pod: Pod;
  lifecycle: PodLifecycle;
}

export function startConditions(pod: Pod): StartCondition[] {
  const text = pod.metadata?.annotations?.[afterAnnotation];
  return text === undefined ? [] : parseStartOrder(text);
}

/** For what the pod's containers wait, with the reason; nothing when they may start. */
export function unmetConditions(
  pod: Pod,
  nodeName: string,
  pods: readonly KnownPod[],
  ros: RosFacts,
): string[] {
  return startConditions(pod).flatMap((condition) => {
    const why = problemOf(condition, pod, nodeName, pods, ros);
    return why === undefined ? [] : [`${formatCondition(condition)} (${why})`];
  });
}

function problemOf(
  condition: StartCondition,
  pod: Pod,
  nodeName: string,
  pods: readonly KnownPod[],
  ros: RosFacts,
): string | undefined {
  if (condition.kind !== 'pod') {
    const known = ros.has(condition.kind, condition.name);
    if (typeof known === 'string') return known;
    return known ? undefined : absent[condition.kind];
  }
  const other = pods.find((each) => isMeant(condition, pod, each.pod, nodeName));
  if (other === undefined) return 'there is no such pod on this node';
  const state = stateOf(other.lifecycle);
  return satisfying[condition.state].includes(state) ? undefined : `it is ${state}`;
}

const absent = {
  topic: 'nobody publishes it',
  node: 'it is not in the ROS graph',
  service: 'nobody offers it',
} as const;

const satisfying: Readonly<Record<PodConditionState, readonly string[]>> = {
  inactive: ['inactive', 'active'],
  active: ['active'],
  finalized: ['finalized'],
};

const stateOf = ({ reached, isEnded, isStopping }: PodLifecycle): string => {
  if (isEnded) return 'finalized';
  return isStopping ? 'shutting down' : reached;
};

/** A static pod is known by the name in its manifest too, without the node's behind it. */
function isMeant(
  { name, namespace }: StartCondition & { kind: 'pod' },
  asking: Pod,
  other: Pod,
  nodeName: string,
): boolean {
  if (podNamespace(other) !== (namespace ?? podNamespace(asking))) return false;
  return podName(other) === name || podName(other) === `${name}-${nodeName.toLowerCase()}`;
}

/** The pods that wait for each other in a circle that goes through `pod`, `pod` first; undefined when there is none. */
export function startCycle(pod: Pod, others: readonly Pod[], nodeName: string): string[] | undefined {
  const all = [pod, ...others];
  const visited = new Set<Pod>();
  const search = (at: Pod): string[] | undefined => {
    for (const condition of startConditions(at)) {
      if (condition.kind !== 'pod') continue;
      const next = all.find((each) => isMeant(condition, at, each, nodeName));
      if (next === pod) return [podKey(at)];
      if (next === undefined || visited.has(next)) continue;
      visited.add(next);
      const rest = search(next);
      if (rest !== undefined) return [podKey(at), ...rest];
    }
    return undefined;
  };
  return search(pod);
}
