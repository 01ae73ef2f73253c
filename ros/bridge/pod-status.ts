/** A pod as roslet_msgs/PodStatus: what Kubernetes' status says, in words of ROS. Pure. */
import type * as core from '../../src/api/core.gen.ts';
import { isSidecar, podName, podNamespace, podUid } from '../../src/pods/identity.ts';
import type { BridgedPod, PodProbe } from '../agent-port.ts';
import { ContainerStatus, Event, PodStatus, ProbeStatus } from '../messages/gen/roslet_msgs.ts';
import { stateMessage } from './lifecycle.ts';
import { timeOf } from './time.ts';

export interface PodStatusContext {
  robot: string;
  /** Of its managed node; empty when it has none. */
  rosNode: string;
  nowMs: number;
}

export function podStatusMessage(
  { lifecycle, pod, probes, runtime, usage }: BridgedPod,
  { nowMs, robot, rosNode }: PodStatusContext,
): PodStatus {
  const { spec, status = {} } = pod;
  const containers = containerMessages(pod, probes);
  const problem = lifecycle?.problem;
  return PodStatus.create({
    stamp: timeOf(nowMs),
    robot,
    pod_namespace: podNamespace(pod),
    pod_name: podName(pod),
    uid: podUid(pod),
    ros_node: rosNode,
    runtime,
    lifecycle_state: stateMessage(lifecycle?.state ?? 'unknown'),
    phase: phases[status.phase ?? ''] ?? PodStatus.PHASE_UNKNOWN,
    ready: isReady(pod),
    reason: status.reason ?? problem?.reason ?? '',
    message: status.message ?? problem?.message ?? '',
    waits_for: [...(lifecycle?.waitsFor ?? [])],
    restart_count: containers.reduce((sum, each) => sum + each.restart_count, 0),
    start_time: timeOf(status.startTime),
    ips: (status.podIPs ?? []).map(({ ip }) => ip),
    dds_domain_id: domainOf(spec?.containers ?? []),
    cpu_usage_cores: usage.cpuCores ?? Number.NaN,
    memory_usage_bytes: BigInt(Math.round(usage.memoryBytes ?? 0)),
    containers,
  });
}

export const isReady = (pod: core.Pod): boolean =>
  pod.status?.conditions?.some(({ status, type }) => type === 'Ready' && status === 'True') ?? false;

const phases: Readonly<Record<string, number>> = {
  Pending: PodStatus.PHASE_PENDING,
  Running: PodStatus.PHASE_RUNNING,
  Succeeded: PodStatus.PHASE_SUCCEEDED,
  Failed: PodStatus.PHASE_FAILED,
};

function containerMessages({ spec, status }: core.Pod, probes: readonly PodProbe[]): ContainerStatus[] {
  const one = (container: core.Container, kind: number, all: core.ContainerStatus[] | undefined) =>
    containerMessage(
      container,
      kind,
      all?.find(({ name }) => name === container.name),
      probes.filter((probe) => probe.container === container.name),
    );
  return [
    ...(spec?.initContainers ?? []).map((c) =>
      one(
        c,
        isSidecar(c) ? ContainerStatus.KIND_SIDECAR : ContainerStatus.KIND_INIT,
        status?.initContainerStatuses,
      ),
    ),
    ...(spec?.containers ?? []).map((c) => one(c, ContainerStatus.KIND_MAIN, status?.containerStatuses)),
  ];
}

function containerMessage(
  { image = '', name }: core.Container,
  kind: number,
  status: core.ContainerStatus | undefined,
  probes: readonly PodProbe[],
): ContainerStatus {
  const { running, terminated, waiting } = status?.state ?? {};
  const last = status?.lastState?.terminated;
  const state = running
    ? ContainerStatus.STATE_RUNNING
    : terminated
      ? ContainerStatus.STATE_TERMINATED
      : waiting
        ? ContainerStatus.STATE_WAITING
        : ContainerStatus.STATE_UNKNOWN;
  return ContainerStatus.create({
    name,
    image,
    kind,
    state,
    started: status?.started ?? false,
    ready: status?.ready ?? false,
    reason: waiting?.reason ?? terminated?.reason ?? '',
    message: waiting?.message ?? terminated?.message ?? '',
    restart_count: status?.restartCount ?? 0,
    started_at: timeOf(running?.startedAt ?? terminated?.startedAt),
    finished_at: timeOf(terminated?.finishedAt),
    exit_code: terminated?.exitCode ?? 0,
    last_started_at: timeOf(last?.startedAt),
    last_finished_at: timeOf(last?.finishedAt),
    last_exit_code: last?.exitCode ?? 0,
    last_reason: last?.reason ?? '',
    last_message: last?.message ?? '',
    probes: probes.map(probeMessage),
  });
}

const probeMessage = (probe: PodProbe): ProbeStatus =>
  ProbeStatus.create({
    kind: probeKinds[probe.kind],
    result: probeResults[probe.result],
    description: probe.description,
    consecutive_successes: probe.last?.isGood ? probe.last.inARow : 0,
    consecutive_failures: probe.last?.isGood === false ? probe.last.inARow : 0,
    last_success: timeOf(probe.lastSuccessMs),
    last_failure: timeOf(probe.lastFailureMs),
    last_failure_message: probe.lastFailureMessage,
    latency_p50: (probe.p50Ms ?? Number.NaN) / 1000,
    latency_p99: (probe.p99Ms ?? Number.NaN) / 1000,
  });

const probeKinds: Readonly<Record<PodProbe['kind'], number>> = {
  startup: ProbeStatus.KIND_STARTUP,
  liveness: ProbeStatus.KIND_LIVENESS,
  readiness: ProbeStatus.KIND_READINESS,
};

const probeResults: Readonly<Record<PodProbe['result'], number>> = {
  success: ProbeStatus.RESULT_OK,
  failure: ProbeStatus.RESULT_FAILED,
  unknown: ProbeStatus.RESULT_UNKNOWN,
};

/** As its containers are told by their own environment. */
function domainOf(containers: readonly core.Container[]): number {
  const text = containers.flatMap(({ env = [] }) => env).find(({ name }) => name === 'ROS_DOMAIN_ID')?.value;
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : -1;
}

export function eventMessage(event: core.Event, robot: string): Event {
  const { involvedObject: about, message = '', reason = '' } = event;
  const isPod = about?.kind === 'Pod';
  return Event.create({
    stamp: timeOf(event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp),
    first_stamp: timeOf(event.firstTimestamp ?? event.eventTime ?? event.lastTimestamp),
    count: event.count ?? 1,
    severity: event.type === 'Warning' ? Event.SEVERITY_WARNING : Event.SEVERITY_INFO,
    robot,
    pod_namespace: isPod ? (about.namespace ?? '') : '',
    pod_name: isPod ? (about.name ?? '') : '',
    container: /\{(.*)\}/.exec(about?.fieldPath ?? '')?.[1] ?? '',
    reason,
    message,
  });
}
