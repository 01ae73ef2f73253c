/**
 * In-place resize of the cpu and memory of containers (KEP-1287, as the kubelet of 1.34 does it). Three amounts are told
 * apart: what is *desired* (the pod of the API server), what is *allocated* (the pod that the worker has, and its record
 * keeps: what the node has admitted), and what is *applied* (what a running container was made or last updated with).
 * All of it is pure; who allocates is agent.ts, who applies is resizer.ts.
 */
import type { ContainerStatus } from '../../runtime/runtime.ts';
import type { Container, Pod, PodCondition, ResourceRequirements } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import { max, type ResourceAmounts, toAmounts, toResourceList } from '../resources/amounts.ts';
import { podRequests, qosClass } from '../resources/qos.ts';
import { type ActualPod, isRunning, latestInstance } from './actual.ts';
import { type Admission, admit, type NodeAdmissionContext } from './admission.ts';
import { isSidecar, withStatus } from './identity.ts';

/** What is kept of a resize until it is done. */
export interface PodResize {
  /** Why the desired resources are not allocated. */
  pending?: { reason: 'Deferred' | 'Infeasible'; message: string; generation: number; sinceMs: number };
  /** What is allocated is not applied yet. `error`: why the last try failed. */
  inProgress?: { generation: number; sinceMs: number; error?: string };
}

/** What a record keeps of the resources of containers, as JSON like that of the annotation. */
export interface NotedResources {
  /** What was applied to running containers after they were made, by their ids. */
  applied?: Record<string, string>;
  /** What the containers of an agent that did not note it were made with, by their names. */
  madeWith?: Record<string, string>;
}

/** JSON of what a container was made with: with its record, what is applied is known whatever became of the agent. */
export const resourcesAnnotation = 'roslet.dev/resources';

/** The others start with what is allocated and keep it. */
export const isResizable = (pod: Pod, name: string): boolean =>
  resizableContainers(pod).some((container) => container.name === name);

export const resizableContainers = (pod: Pod): Container[] => [
  ...(pod.spec?.containers ?? []),
  ...(pod.spec?.initContainers ?? []).filter(isSidecar),
];

/**
 * `pod` with the resources that its containers have in `from`, where a resize leads from those to its own. The same
 * object where they do not differ.
 */
export const withResourcesOf = (pod: Pod, from: Pod): Pod =>
  exchanged(pod, from, (own, others) => canResize(others, own));

/** `pod` with the resources that its containers have in `desired`, where a resize leads to those from its own. */
export const resizedTo = (pod: Pod, desired: Pod): Pod => exchanged(pod, desired, canResize);

function exchanged(pod: Pod, other: Pod, isResize: typeof canResize): Pod {
  const others = new Map(resizableContainers(other).map(({ name, resources }) => [name, resources]));
  return withResources(pod, ({ name, resources }) =>
    others.has(name) && isResize(resources, others.get(name)) ? others.get(name) : resources,
  );
}

/** A request or limit that is taken away altogether needs another container: no runtime takes it from one that runs. */
function canResize(before: ResourceRequirements = {}, after: ResourceRequirements = {}): boolean {
  if (sameResources(before, after)) return false;
  return (['requests', 'limits'] as const).every((kind) =>
    resizableResources.every(
      (name) => before[kind]?.[name] === undefined || after[kind]?.[name] !== undefined,
    ),
  );
}

/** Whether cpu and memory are the same, however they are written. */
function sameResources(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined) {
  return resizedResources(a, b).length === 0;
}

/** What is applied to a running container; undefined: not known, because another agent made it. */
export function appliedResources({ annotations }: ContainerStatus): ResourceRequirements | undefined {
  const written = annotations[resourcesAnnotation];
  return written === undefined ? undefined : (JSON.parse(written) as ResourceRequirements);
}

export const resourcesText = ({ resources = {} }: Pick<Container, 'resources'>): string =>
  JSON.stringify({ requests: resources.requests, limits: resources.limits });

/**
 * What the runtime holds, with what was applied since the containers were made, by their ids, and what those that do not
 * tell it were made with, by their names.
 */
export function withApplied(actual: ActualPod, { applied = {}, madeWith = {} }: NotedResources): ActualPod {
  const containers = actual.containers.map((instance) => {
    const isTold = instance.annotations[resourcesAnnotation] !== undefined;
    const text = applied[instance.id] ?? (isTold ? undefined : madeWith[instance.metadata.name]);
    if (text === undefined) return instance;
    return { ...instance, annotations: { ...instance.annotations, [resourcesAnnotation]: text } };
  });
  return { ...actual, containers };
}

/** What a container that was made with `applied` needs to have what is allocated to it. */
export function resizeOf(container: Container, instance: ContainerStatus): 'none' | 'update' | 'restart' {
  const applied = appliedResources(instance);
  if (applied === undefined) return 'none';
  const changed = resizedResources(applied, container.resources);
  if (changed.length === 0) return 'none';
  const policies = container.resizePolicy ?? [];
  const restarts = (resourceName: string): boolean =>
    policies.some((p) => p.resourceName === resourceName && p.restartPolicy === 'RestartContainer');
  return changed.some(restarts) ? 'restart' : 'update';
}

/** Whether what runs has what is allocated to it. */
export const isWhollyApplied = (pod: Pod, actual: ActualPod): boolean =>
  resizableContainers(pod).every((container) =>
    sameResources(appliedTo(container, actual) ?? container.resources, container.resources),
  );

/** The pod as it is in force: running containers with what is applied, the others with what they will start with. */
export const podInForce = (pod: Pod, actual: ActualPod): Pod =>
  withResources(pod, (container) => appliedTo(container, actual) ?? container.resources);

/** The pod with the most that it may have in the course of a resize: that much of the node is not free. */
export const podAtMost = (pod: Pod, actual: ActualPod): Pod =>
  withResources(pod, (container) => {
    const applied = appliedTo(container, actual);
    if (applied === undefined || sameResources(applied, container.resources)) return container.resources;
    const requests = max(toAmounts(applied.requests), toAmounts(container.resources?.requests));
    return { ...container.resources, requests: toResourceList(requests) };
  });

/**
 * Whether the node can give a pod what is desired now.
 * @param others admitted pods that are not terminated, with the most that they may have
 */
export function judgeResize(
  desired: Pod,
  allocated: Pod,
  others: readonly Pod[],
  node: NodeAdmissionContext,
): 'allocate' | Pick<NonNullable<PodResize['pending']>, 'reason' | 'message'> {
  if (qosClass(desired) !== qosClass(allocated)) {
    // The API server does not let it through: the pod's cgroup would have to be another.
    return { reason: 'Infeasible', message: 'Pod QOS Class may not change as a result of resizing' };
  }
  const requests = podRequests(desired);
  for (const name of ['memory', 'cpu']) {
    const [requested, capacity] = [requests[name] ?? 0, node.allocatable[name] ?? 0];
    if (requested <= capacity) continue;
    const what = `${name}, requested: ${requested}, capacity: ${capacity}`;
    return { reason: 'Infeasible', message: `Node didn't have enough capacity: ${what}` };
  }
  // It is here already, whatever is asked of those that come.
  const admission: Admission = admit(withStatus(desired, { phase: 'Running' }), others, node);
  return admission.admitted ? 'allocate' : { reason: 'Deferred', message: admission.message };
}

/** Which of several resizes comes first: one that frees something, then priority, QoS class and age. */
export function compareResizes(a: WaitingResize, b: WaitingResize): number {
  const rank = ({ desired, allocated, sinceMs }: WaitingResize) => [
    isGrowing(desired, allocated) ? 1 : 0,
    -(desired.spec?.priority ?? 0),
    qosClass(desired) === 'Guaranteed' ? 0 : 1,
    sinceMs,
  ];
  const [left, right] = [rank(a), rank(b)];
  const index = left.findIndex((value, i) => value !== right[i]);
  return index < 0 ? 0 : left[index]! - right[index]!;
}

export interface WaitingResize {
  desired: Pod;
  allocated: Pod;
  /** Since when it is pending. */
  sinceMs: number;
}

/** Memory limits that are to become lower than what is in use, in the kubelet's words; undefined: none. */
export function memoryTooSmall(limits: readonly MemoryLimit[]): string | undefined {
  const problems = limits.flatMap(({ of, wasBytes, limitBytes, usedBytes }) => {
    if (limitBytes === 0 || (wasBytes !== 0 && limitBytes >= wasBytes)) return [];
    if (usedBytes === undefined) return [`missing ${of} memory usage`];
    if (usedBytes < limitBytes) return [];
    return [`attempting to set ${of} memory limit (${limitBytes}) below current usage (${usedBytes})`];
  });
  if (problems.length === 0) return undefined;
  const [only] = problems;
  return `cannot decrease memory limits: ${problems.length === 1 ? only : `[${problems.join(', ')}]`}`;
}

export interface MemoryLimit {
  /** `pod`, or `container "name"`. */
  of: string;
  /** 0: no limit. */
  wasBytes: number;
  limitBytes: number;
  usedBytes: number | undefined;
}

/** The conditions by which a resize is followed. */
export function resizeConditions({ pending, inProgress }: PodResize = {}): PodCondition[] {
  const conditions: PodCondition[] = [];
  if (pending !== undefined) {
    const { reason, message, generation, sinceMs } = pending;
    const lastTransitionTime = time(sinceMs);
    conditions.push({
      type: 'PodResizePending',
      status: 'True',
      reason,
      message,
      lastTransitionTime,
      observedGeneration: generation,
    });
  }
  if (inProgress !== undefined) {
    const { generation, sinceMs, error } = inProgress;
    conditions.push({
      type: 'PodResizeInProgress',
      status: 'True',
      ...(error === undefined ? {} : { reason: 'Error', message: error }),
      lastTransitionTime: time(sinceMs),
      observedGeneration: generation,
    });
  }
  return conditions;
}

/** As the kubelet tells of it in an event. */
export function resizeCompletedMessage({ spec }: Pod): string {
  const summary = (containers: readonly Container[] = []) =>
    containers.map(({ name, resources = {} }) => ({ name, resources }));
  const initContainers = summary(spec?.initContainers);
  const containers = summary(spec?.containers);
  const all = { ...(initContainers.length > 0 && { initContainers }), containers };
  return `Pod resize completed: ${JSON.stringify(all)}`;
}

const resizableResources = ['cpu', 'memory'] as const;

function resizedResources(a: ResourceRequirements = {}, b: ResourceRequirements = {}): string[] {
  const [requestsA, requestsB] = [toAmounts(a.requests), toAmounts(b.requests)];
  const [limitsA, limitsB] = [toAmounts(a.limits), toAmounts(b.limits)];
  const differs = (left: ResourceAmounts, right: ResourceAmounts, name: string): boolean =>
    (left[name] ?? 0) !== (right[name] ?? 0);
  return resizableResources.filter(
    (name) => differs(requestsA, requestsB, name) || differs(limitsA, limitsB, name),
  );
}

function isGrowing(desired: Pod, allocated: Pod): boolean {
  const [wanted, given] = [podRequests(desired), podRequests(allocated)];
  return resizableResources.some((name) => (wanted[name] ?? 0) > (given[name] ?? 0));
}

function appliedTo(container: Container, actual: ActualPod): ResourceRequirements | undefined {
  const instance = latestInstance(actual, container.name);
  return instance !== undefined && isRunning(instance) ? appliedResources(instance) : undefined;
}

function withResources(
  pod: Pod,
  resourcesOf: (container: Container) => ResourceRequirements | undefined,
): Pod {
  if (pod.spec === undefined) return pod;
  let isSame = true;
  const change = (container: Container): Container => {
    const resources = resourcesOf(container);
    if (resources === container.resources) return container;
    isSame = false;
    return { ...container, resources };
  };
  const { initContainers } = pod.spec;
  const spec = {
    ...pod.spec,
    containers: pod.spec.containers.map(change),
    ...(initContainers && {
      initContainers: initContainers.map((c) => (isSidecar(c) ? change(c) : c)),
    }),
  };
  return isSame ? pod : { ...pod, spec };
}
