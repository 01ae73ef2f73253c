/**
 * Room for a critical pod that does not fit: which other pods end for it, chosen as the kubelet chooses them (its
 * preemption package): as few as possible, those of the lower QoS classes first. Pure.
 */
import type { Pod } from '../api/core.gen.ts';
import type { ResourceAmounts } from '../resources/amounts.ts';
import { podRequests, qosClass } from '../resources/qos.ts';
import { isClusterPod } from '../sources/source.ts';
import { admit, isCriticalPod, isOfScheduler, type NodeAdmissionContext } from './admission.ts';
import { podUid } from './identity.ts';

/**
 * Undefined: nothing that could end would let the pod run. Empty: it fits as soon as all that is going down is gone.
 * @param others admitted pods that are to go on
 */
export function preemptedFor(
  pod: Pod,
  others: readonly Pod[],
  node: NodeAdmissionContext,
): Pod[] | undefined {
  if (!isCriticalPod(pod)) return undefined;
  const enough = Object.fromEntries(
    Object.keys(requestsOf(pod)).map((name) => [name, Number.POSITIVE_INFINITY]),
  );
  // Only for want of resources does anything end.
  if (!admit(pod, others, { ...node, allocatable: enough }).admitted) return undefined;
  const missing = missingFor(pod, others, node.allocatable);
  const classes = (['BestEffort', 'Burstable', 'Guaranteed'] as const).map((qos) =>
    others.filter((other) => isPreemptable(pod, other) && qosClass(other) === qos),
  );
  const [bestEffort = [], burstable = [], guaranteed = []] = classes;
  if (Object.keys(without(missing, classes.flat())).length > 0) return undefined;
  const ofGuaranteed = closest(guaranteed, without(missing, [...bestEffort, ...burstable]));
  const ofBurstable = closest(burstable, without(missing, [...bestEffort, ...ofGuaranteed]));
  const ofBestEffort = closest(bestEffort, without(missing, [...ofBurstable, ...ofGuaranteed]));
  return [...ofBestEffort, ...ofBurstable, ...ofGuaranteed];
}

function isPreemptable(pod: Pod, other: Pod): boolean {
  if (!isCriticalPod(other)) return true;
  return isClusterPod(pod) && isClusterPod(other) && (pod.spec?.priority ?? 0) > (other.spec?.priority ?? 0);
}

const requestsOf = (pod: Pod): ResourceAmounts => ({ ...podRequests(pod), pods: 1 });

/** What is above 0 alone. */
function missingFor(pod: Pod, others: readonly Pod[], allocatable: ResourceAmounts): ResourceAmounts {
  const held = others.filter((other) => podUid(other) !== podUid(pod)).map(requestsOf);
  const missing = Object.entries(requestsOf(pod)).map(([name, requested]): [string, number] => {
    const used = held.reduce((total, amounts) => total + (amounts[name] ?? 0), 0);
    const isFree = requested === 0 || isOfScheduler(pod, name, allocatable);
    return [name, isFree ? 0 : requested + used - (allocatable[name] ?? 0)];
  });
  return Object.fromEntries(missing.filter(([, amount]) => amount > 0));
}

function without(missing: ResourceAmounts, ended: readonly Pod[]): ResourceAmounts {
  const left = Object.entries(missing).map(([name, amount]): [string, number] => [
    name,
    ended.reduce((rest, pod) => rest - (requestsOf(pod)[name] ?? 0), amount),
  ]);
  return Object.fromEntries(left.filter(([, amount]) => amount > 0));
}

/** One after the other the pod that gives most of what is missing; of equals the one that asked for less. */
function closest(pods: readonly Pod[], missing: ResourceAmounts): Pod[] {
  const left = [...pods];
  const chosen: Pod[] = [];
  for (let rest = missing; Object.keys(rest).length > 0 && left.length > 0; ) {
    left.sort((a, b) => distance(rest, a) - distance(rest, b) || bySize(a, b));
    const next = left.shift()!;
    chosen.push(next);
    rest = without(rest, [next]);
  }
  return chosen;
}

/** Each resource weighs the same, whatever its amounts. */
const distance = (missing: ResourceAmounts, pod: Pod): number =>
  Object.entries(missing).reduce((total, [name, amount]) => {
    const short = Math.max(amount - (requestsOf(pod)[name] ?? 0), 0);
    return total + (short / amount) ** 2;
  }, 0);

function bySize(a: Pod, b: Pod): number {
  const [left, right] = [podRequests(a), podRequests(b)];
  return (left.memory ?? 0) - (right.memory ?? 0) || (left.cpu ?? 0) - (right.cpu ?? 0);
}
