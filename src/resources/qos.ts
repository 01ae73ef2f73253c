/**
 * What a pod asks for as a whole and how well it is served when the node runs short: QoS class, requests and limits
 * with init containers and sidecars (KEP-753), pod-level resources (KEP-2837) and overhead, and the score by which the
 * kernel's OOM killer chooses.
 */
import type { Container, Pod } from '../api/core.gen.ts';
import { isSidecar } from '../pods/identity.ts';
import { isHugepages, max, type ResourceAmounts, type ResourceList, sum, toAmounts } from './amounts.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Only cpu and memory count; init containers and sidecars count as every container does. */
export function qosClass(pod: Pod): QosClass {
  const parts = pod.spec?.resources === undefined ? allContainers(pod) : [{ resources: pod.spec.resources }];
  let requests: ResourceAmounts = {};
  let limits: ResourceAmounts = {};
  let everyPartLimited = true;
  for (const { resources } of parts) {
    const partLimits = computeAmounts(resources?.limits);
    requests = sum(requests, computeAmounts(resources?.requests));
    limits = sum(limits, partLimits);
    everyPartLimited &&= 'cpu' in partLimits && 'memory' in partLimits;
  }
  const names = Object.keys(requests);
  if (names.length === 0 && Object.keys(limits).length === 0) return 'BestEffort';
  const equal =
    names.length === Object.keys(limits).length && names.every((name) => requests[name] === limits[name]);
  return everyPartLimited && equal ? 'Guaranteed' : 'Burstable';
}

/** What the scheduler and admission count: the larger of what runs at the same time, plus overhead. */
export function podRequests(pod: Pod): ResourceAmounts {
  const containers = concurrentAmounts(pod, (container) => container.resources?.requests);
  const requests = { ...containers, ...podLevelAmounts(pod.spec?.resources?.requests) };
  return sum(requests, toAmounts(pod.spec?.overhead));
}

/** Overhead is added only to what is limited at all. */
export function podLimits(pod: Pod): ResourceAmounts {
  const containers = concurrentAmounts(pod, (container) => container.resources?.limits);
  const limits = { ...containers, ...podLevelAmounts(pod.spec?.resources?.limits) };
  const overhead = Object.entries(toAmounts(pod.spec?.overhead)).filter(([name]) => (limits[name] ?? 0) > 0);
  return sum(limits, Object.fromEntries(overhead));
}

/** Whether every container has a limit of this resource, so that the pod as a whole has one. */
export function isLimited(pod: Pod, resource: 'cpu' | 'memory'): boolean {
  if ((toAmounts(pod.spec?.resources?.limits)[resource] ?? 0) > 0) return true;
  return allContainers(pod).every(({ resources }) => (toAmounts(resources?.limits)[resource] ?? 0) > 0);
}

/**
 * −997 for what must live, 1000 for what may die first, between them the less the more memory was asked for. A sidecar
 * is never worse off than the container of the pod that asked for the least, or it would be killed under it.
 */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: number): number {
  if (isNodeCritical(pod)) return guaranteedOomScoreAdj;
  switch (qosClass(pod)) {
    case 'Guaranteed':
      return guaranteedOomScoreAdj;
    case 'BestEffort':
      return bestEffortOomScoreAdj;
    case 'Burstable':
      return burstableOomScoreAdj(pod, container, memoryCapacityBytes);
  }
}

export const systemCriticalPriority = 2_000_000_000;
const guaranteedOomScoreAdj = -997;
const bestEffortOomScoreAdj = 1000;

const isNodeCritical = (pod: Pod): boolean =>
  pod.spec?.priorityClassName === 'system-node-critical' &&
  (pod.spec.priority ?? systemCriticalPriority) >= systemCriticalPriority;

function burstableOomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: number): number {
  const share = unclaimedMemoryShare(pod);
  const scoreOf = (requestBytes: number) =>
    1000 - Math.trunc((1000 * (requestBytes + share)) / Math.max(memoryCapacityBytes, 1));
  let score = scoreOf(memoryRequest(container));
  if (isSidecar(container) && pod.spec?.initContainers?.some(({ name }) => name === container.name)) {
    const least = Math.min(...pod.spec.containers.map(memoryRequest));
    score = Math.min(score, scoreOf(least));
  }
  return Math.min(Math.max(score, 1000 + guaranteedOomScoreAdj), bestEffortOomScoreAdj - 1);
}

/** Memory requested for the pod but for none of its containers belongs to each of them in equal parts. */
function unclaimedMemoryShare(pod: Pod): number {
  const podRequest = toAmounts(pod.spec?.resources?.requests).memory ?? 0;
  const claimed = concurrentAmounts(pod, (container) => container.resources?.requests).memory ?? 0;
  const lasting =
    (pod.spec?.containers.length ?? 0) + (pod.spec?.initContainers ?? []).filter(isSidecar).length;
  return podRequest > claimed ? Math.floor((podRequest - claimed) / Math.max(lasting, 1)) : 0;
}

const memoryRequest = (container: Container): number => toAmounts(container.resources?.requests).memory ?? 0;

const allContainers = (pod: Pod): Container[] => [
  ...(pod.spec?.containers ?? []),
  ...(pod.spec?.initContainers ?? []),
];

function computeAmounts(list: ResourceList | undefined): ResourceAmounts {
  const { cpu = 0, memory = 0 } = toAmounts(list);
  return { ...(cpu > 0 && { cpu }), ...(memory > 0 && { memory }) };
}

/** Of the resources that the pod as a whole may have. */
export function podLevelAmounts(list: ResourceList | undefined): ResourceAmounts {
  const entries = Object.entries(toAmounts(list));
  return Object.fromEntries(
    entries.filter(([name]) => name === 'cpu' || name === 'memory' || isHugepages(name)),
  );
}

/**
 * The most that runs at one time. Sidecars start in order among the init containers and stay: an init container runs
 * beside the sidecars before it, the containers beside all of them.
 */
function concurrentAmounts(
  pod: Pod,
  listOf: (container: Container) => ResourceList | undefined,
): ResourceAmounts {
  let sidecars: ResourceAmounts = {};
  let starting: ResourceAmounts = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const amounts = toAmounts(listOf(container));
    if (isSidecar(container)) {
      sidecars = sum(sidecars, amounts);
      starting = max(starting, sidecars);
    } else {
      starting = max(starting, sum(sidecars, amounts));
    }
  }
  const running = (pod.spec?.containers ?? []).map((container) => toAmounts(listOf(container)));
  return max(running.reduce(sum, sidecars), starting);
}
