/**
 * Whether a pod can run on this node, with the reasons and messages of the kubelet. Pure: the caller retries a refused
 * pod when something that could have refused it changes.
 */
import type { Pod, Taint } from '../api/core.gen.ts';
import { formatFieldError } from '../api/errors.ts';
import { unsupportedFields } from '../api/support.ts';
import { afterAnnotation, annotationErrors } from '../api/validate/annotations.ts';
import { matchesNode, untoleratedTaint } from '../node/placement.ts';
import { forbiddenSysctl } from '../node/sysctls.ts';
import { whyNeverHeard } from '../probes/ros-reach.ts';
import { isRosProbe, rosProbeCommand } from '../probes/ros-spec.ts';
import { isExtended, type ResourceAmounts } from '../resources/amounts.ts';
import { podRequests, qosClass, systemCriticalPriority } from '../resources/qos.ts';
import { isClusterPod, isStaticPod } from '../sources/source.ts';
import { isSidecar, podKey, podUid } from './identity.ts';
import { apparmorAnnotationPrefix } from './runtime-config/security.ts';
import { startCycle } from './start-order.ts';

export type Admission =
  | { admitted: true }
  /** For the pod's status and event. */
  | { admitted: false; reason: string; message: string };

export interface NodeAdmissionContext {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  /** Allocatable, `pods` and extended resources included. */
  allocatable: ResourceAmounts;
  /** Handlers that there are. */
  runtimeHandlers: readonly string[];
  /** It may be given more handlers while the agent runs. */
  hasContainerRuntime: boolean;
  /** Whether the runtime of that handler cannot keep a pod to the groups that it names. */
  cannotLimitGroups(handler: string): boolean;
  /** The one that the pod's runtimeClassName stands for. */
  handlerOf(pod: Pod): string;
  allowedUnsafeSysctls: readonly string[];
  /** Node conditions that are true now: MemoryPressure, DiskPressure, PIDPressure. */
  pressures: readonly string[];
  shuttingDown: boolean;
  /** Whether the runtime of that handler runs containers that a profile could not be enforced on. */
  lacksAppArmor(handler: string): boolean;
  /** Whether the ROS 2 bridge is on, which answers ros2-probe. */
  hasRosBridge: boolean;
  /** The domain that it is on; undefined: not known. */
  rosDomainId?: number;
}

/** @param active Admitted pods that are not terminated; `pod` itself among them does not count. */
export function admit(pod: Pod, active: readonly Pod[], node: NodeAdmissionContext): Admission {
  const others = active.filter((other) => podUid(other) !== podUid(pod));
  for (const check of checks) {
    const refusal = check(pod, others, node);
    if (refusal !== undefined) return { admitted: false, ...refusal };
  }
  return { admitted: true };
}

/** Pods that the node cannot do without: never refused for pressure, never evicted for it. */
export const isCriticalPod = (pod: Pod): boolean =>
  isStaticPod(pod) || (pod.spec?.priority ?? 0) >= systemCriticalPriority;

interface Refusal {
  reason: string;
  message: string;
}

type Check = (pod: Pod, others: readonly Pod[], node: NodeAdmissionContext) => Refusal | undefined;

/** In the order in which they are told: what no change of other pods can cure comes after what may pass by itself. */
const checks: readonly Check[] = [
  checkShutdown,
  checkPressure,
  checkSysctls,
  checkOs,
  checkStartOrder,
  checkRuntimeClass,
  checkGroupsPolicy,
  checkResources,
  checkAffinity,
  checkNodeName,
  checkPorts,
  checkTaints,
  checkAppArmor,
  checkSupport,
  checkRosProbes,
];

/** Pods of manifests and of our own API were held against it before. */
function checkSupport(pod: Pod): Refusal | undefined {
  const unsupported = isClusterPod(pod) ? [...unsupportedFields(pod, true), ...annotationErrors(pod)] : [];
  if (unsupported.length === 0) return undefined;
  return { reason: 'UnsupportedPodSpec', message: unsupported.map(formatFieldError).join('; ') };
}

function checkShutdown(_pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  if (!node.shuttingDown) return undefined;
  return { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' };
}

function checkPressure(
  pod: Pod,
  _others: readonly Pod[],
  { pressures }: NodeAdmissionContext,
): Refusal | undefined {
  if (pressures.length === 0 || isCriticalPod(pod)) return undefined;
  if (pressures.every((pressure) => pressure === 'MemoryPressure') && bearsMemoryPressure(pod))
    return undefined;
  return { reason: 'Evicted', message: `The node had condition: [${pressures.join(' ')}]. ` };
}

/** What asked for memory has it reserved; the rest may say that it bears the pressure. */
function bearsMemoryPressure(pod: Pod): boolean {
  const taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
  return qosClass(pod) !== 'BestEffort' || untoleratedTaint(pod, [taint], 'NoSchedule') === undefined;
}

function checkSysctls(pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  const why = forbiddenSysctl(pod, node.allowedUnsafeSysctls);
  return why === undefined ? undefined : { reason: 'SysctlForbidden', message: `forbidden sysctl: ${why}` };
}

function checkOs(pod: Pod): Refusal | undefined {
  if (pod.spec?.os !== undefined && pod.spec.os.name !== 'linux') {
    return {
      reason: 'PodOSNotSupported',
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  }
  if ((pod.spec?.nodeSelector?.['kubernetes.io/os'] ?? 'linux') !== 'linux') {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  return undefined;
}

function checkGroupsPolicy(
  pod: Pod,
  _others: readonly Pod[],
  node: NodeAdmissionContext,
): Refusal | undefined {
  if (pod.spec?.securityContext?.supplementalGroupsPolicy !== 'Strict') return undefined;
  if (!node.cannotLimitGroups(node.handlerOf(pod))) return undefined;
  return {
    reason: 'SupplementalGroupsPolicyNotSupported',
    message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
  };
}

function checkStartOrder(pod: Pod, others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  const cycle = startCycle(pod, others, node.name);
  if (cycle === undefined) return undefined;
  const round = [...cycle, cycle[0]].join(' after ');
  return {
    reason: 'StartOrderCycle',
    message: `${afterAnnotation}: these pods would wait for each other: ${round}`,
  };
}

function checkRuntimeClass(
  pod: Pod,
  _others: readonly Pod[],
  node: NodeAdmissionContext,
): Refusal | undefined {
  const name = pod.spec?.runtimeClassName ?? '';
  const handler = node.handlerOf(pod);
  if (name === '' || node.runtimeHandlers.includes(handler)) return undefined;
  // The pod waits until the runtime has it: one that a cluster is told of as failed would not come back.
  if (isClusterPod(pod) && node.hasContainerRuntime) return undefined;
  const known = node.runtimeHandlers.filter((known) => known !== '').join(', ');
  const what = handler === name ? 'not found' : `needs the handler ${handler}`;
  return {
    reason: 'RuntimeClassNotSupported',
    message: `RuntimeClass "${name}" ${what}; this node has ${known === '' ? 'none' : known}`,
  };
}

function checkResources(
  pod: Pod,
  others: readonly Pod[],
  { allocatable }: NodeAdmissionContext,
): Refusal | undefined {
  const used = new Map<string, number>([['pods', others.length]]);
  for (const amounts of others.map(podRequests)) {
    for (const [name, amount] of Object.entries(amounts)) used.set(name, (used.get(name) ?? 0) + amount);
  }
  for (const [name, requested] of inFitOrder({ ...podRequests(pod), pods: 1 })) {
    if (isOfScheduler(pod, name, allocatable)) continue;
    const capacity = allocatable[name] ?? 0;
    if (requested > 0 && requested > capacity - (used.get(name) ?? 0)) {
      return {
        reason: `OutOf${name}`,
        message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used.get(name) ?? 0}, capacity: ${capacity}`,
      };
    }
  }
  return undefined;
}

/** Extended resources that nobody told the node of are the scheduler's alone. */
export const isOfScheduler = (pod: Pod, resource: string, allocatable: ResourceAmounts): boolean =>
  isClusterPod(pod) && isExtended(resource) && !(resource in allocatable);

function inFitOrder(amounts: ResourceAmounts): [string, number][] {
  const rank = (name: string) => {
    const index = ['pods', 'cpu', 'memory', 'ephemeral-storage'].indexOf(name);
    return index < 0 ? Number.POSITIVE_INFINITY : index;
  };
  return Object.entries(amounts).sort(([a], [b]) =>
    rank(a) === rank(b) ? (a < b ? -1 : 1) : rank(a) - rank(b),
  );
}

function checkAffinity(pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  if (matchesNode(pod, node)) return undefined;
  return predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
}

function checkNodeName(pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  const wanted = pod.spec?.nodeName ?? '';
  if (wanted === '' || wanted === node.name) return undefined;
  return predicate('NodeName', "node(s) didn't match the requested node name");
}

function checkPorts(pod: Pod, others: readonly Pod[]): Refusal | undefined {
  for (const wanted of hostPorts(pod)) {
    const holder = others.find((other) => hostPorts(other).some((held) => conflicts(wanted, held)));
    if (holder === undefined) continue;
    const taken = `${wanted.protocol} ${wanted.port} is taken by ${podKey(holder)}`;
    return predicate('NodePorts', `node(s) didn't have free ports for the requested pod ports: ${taken}`);
  }
  return undefined;
}

interface HostPort {
  protocol: string;
  ip: string;
  port: number;
}

function hostPorts(pod: Pod): HostPort[] {
  const lasting = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(isSidecar)];
  return lasting.flatMap(({ ports = [] }) =>
    ports
      .map(({ protocol = 'TCP', hostIP = '', hostPort = 0 }) => ({ protocol, ip: hostIP, port: hostPort }))
      .filter(({ port }) => port > 0),
  );
}

const anyAddress = new Set(['', '0.0.0.0', '::']);

const conflicts = (a: HostPort, b: HostPort): boolean =>
  a.protocol === b.protocol &&
  a.port === b.port &&
  (a.ip === b.ip || anyAddress.has(a.ip) || anyAddress.has(b.ip));

/** Static pods stay: nothing but this node could ever run them. */
function checkTaints(pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  const taint = isStaticPod(pod) ? undefined : untoleratedTaint(pod, node.taints, 'NoExecute');
  if (taint === undefined) return undefined;
  return predicate('TaintToleration', `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
}

/** Whatever a container says itself: the pod's profile is the one of those that are added to it later. */
function checkAppArmor(pod: Pod, _others: readonly Pod[], node: NodeAdmissionContext): Refusal | undefined {
  if (!asksForAppArmor(pod) || !node.lacksAppArmor(node.handlerOf(pod))) return undefined;
  // It was admitted before. One that was refused may read Failed, and be asked again.
  if (pod.status?.phase === 'Running') return undefined;
  return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
}

function asksForAppArmor({ spec, metadata }: Pod): boolean {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return (
    [spec, ...containers].some(
      (each) => (each?.securityContext?.appArmorProfile?.type ?? 'Unconfined') !== 'Unconfined',
    ) ||
    Object.entries(metadata?.annotations ?? {}).some(
      ([name, value]) => name.startsWith(apparmorAnnotationPrefix) && value !== 'unconfined',
    )
  );
}

const predicate = (name: string, description: string): Refusal => ({
  reason: name,
  message: `Predicate ${name} failed: ${description}`,
});

function checkRosProbes(
  { spec }: Pod,
  _others: readonly Pod[],
  { hasRosBridge, rosDomainId }: NodeAdmissionContext,
): Refusal | undefined {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const asking = containers.find((container) =>
    [container.startupProbe, container.livenessProbe, container.readinessProbe].some((p) =>
      isRosProbe(p?.exec),
    ),
  );
  if (asking === undefined) return undefined;
  const refusal = (why: string): Refusal => ({
    reason: 'RosProbeNotSupported',
    message: `container ${asking.name} has a ${rosProbeCommand} probe, which the ROS 2 bridge answers, and ${why}`,
  });
  if (!hasRosBridge) return refusal('that is off (ros.transport: off)');
  if (rosDomainId === undefined) return undefined;
  // What a container waits for may come from another one of its pod.
  const why = containers.map((each) => whyNeverHeard(each, spec?.hostNetwork === true, rosDomainId));
  const whyNot = why[containers.indexOf(asking)];
  if (whyNot === undefined || why.includes(undefined)) return undefined;
  return refusal(`that cannot hear it: ${whyNot}`);
}
