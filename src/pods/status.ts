/**
 * The PodStatus of one pod, computed in this one place from what the runtime holds, what the probes found and why
 * containers wait. Pure. Phases, reasons and conditions are the kubelet's. What is not known stays as it was.
 */

import type * as rt from '../../runtime/runtime.ts';
import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
} from '../api/core.gen.ts';
import type { ProbeResults } from '../probes/results.ts';
import type { Waiting } from './actions.ts';
import { type ActualPod, currentSandbox, hasRun, isAlive, restartCountOf } from './actual.ts';
import { isSidecar } from './identity.ts';
import { appliedResources, isResizable, type PodResize, resizeConditions } from './resize.ts';
import { shouldRestart } from './restart.ts';
import { time } from './time.ts';

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

/** The types of the conditions that are computed here. */
const computedConditions: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
]);

/** Our conditions as they are, and those that are not ours as others wrote them. */
export const withOthers = (
  own: readonly PodCondition[] = [],
  seen: readonly PodCondition[],
): PodCondition[] => [
  ...own.filter(({ type }) => computedConditions.has(type)),
  ...seen.filter(({ type }) => !computedConditions.has(type)),
];

export function podStatus(input: StatusInput): PodStatus {
  const { pod, previous, verdict } = input;
  const spec = pod.spec;
  const inits = spec?.initContainers ?? [];
  const apps = spec?.containers ?? [];
  const anyAppSeen = apps.some((c) => input.actual.containers.some((i) => i.metadata.name === c.name));
  const defaultWaiting: Waiting = {
    reason: inits.length > 0 && !anyAppSeen ? 'PodInitializing' : 'ContainerCreating',
    message: '',
  };
  const status = (container: Container, kind: Kind) =>
    containerStatus(input, container, kind, kind === 'init' ? { ...defaultWaiting } : defaultWaiting);
  const initContainerStatuses = inits.map((c) => status(c, 'init'));
  const isInitialized = initContainerStatuses.every((s, i) => isSidecar(inits[i]!) || s.ready);
  const containerStatuses = apps.map((c) => {
    const known = status(c, 'app');
    return input.ended && isInitialized ? lost(known) : known;
  });
  const ephemeralContainerStatuses = (spec?.ephemeralContainers ?? []).map((c) => status(c, 'ephemeral'));

  // A pod that was never admitted has no containers to tell of: they would read as if they were being created.
  const isRefused =
    input.ended &&
    verdict?.phase === 'Failed' &&
    input.actual.sandboxes.length === 0 &&
    (previous?.containerStatuses ?? []).every(({ state }) => state?.waiting !== undefined);

  // A final phase is told when nothing runs any more, as controllers rely on.
  const phase =
    (input.ended ? verdict?.phase : undefined) ??
    podPhase(pod, initContainerStatuses, containerStatuses, input.ended);
  const sandbox = currentSandbox(input.actual);
  const hostNetwork = spec?.hostNetwork === true;
  // Without a sandbox those of the last one stay, as in the kubelet: a pod that has ended says where it was.
  const ips = hostNetwork ? input.hostIps : (sandbox?.ips ?? previousIps(previous));
  return {
    phase,
    conditions: conditions(input, phase, initContainerStatuses, containerStatuses, sandbox !== undefined),
    ...(verdict?.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict?.message === undefined ? {} : { message: verdict.message }),
    ...(input.hostIps.length > 0
      ? { hostIP: input.hostIps[0], hostIPs: input.hostIps.map((ip) => ({ ip })) }
      : {}),
    ...(ips.length > 0 ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: previous?.startTime ?? input.startTime,
    qosClass: input.qosClass,
    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...(inits.length > 0 && !isRefused ? { initContainerStatuses } : {}),
    ...(isRefused ? {} : { containerStatuses }),
    ...(ephemeralContainerStatuses.length > 0 ? { ephemeralContainerStatuses } : {}),
  };
}

type Kind = 'init' | 'app' | 'ephemeral';

/** A container that nothing will run any more has ended, also when nothing is known of its end. */
function lost(status: ContainerStatus): ContainerStatus {
  if (status.state?.waiting === undefined) return status;
  return { ...status, state: { terminated: unlocated('terminated') } };
}

/** In the kubelet's words. */
const unlocated = (what: 'deleted' | 'terminated'): NonNullable<ContainerState['terminated']> => ({
  reason: 'ContainerStatusUnknown',
  message: `The container could not be located when the pod was ${what}`,
  exitCode: 137,
});

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The phase as the kubelet derives it from its containers' states. What has ended is never told as Pending or Running. */
export function podPhase(
  pod: Pod,
  inits: readonly ContainerStatus[],
  apps: readonly ContainerStatus[],
  ended: boolean,
): Phase {
  const phase = phaseOfStates(pod, inits, apps, ended);
  return ended && phase !== 'Succeeded' ? 'Failed' : phase;
}

function phaseOfStates(
  pod: Pod,
  inits: readonly ContainerStatus[],
  apps: readonly ContainerStatus[],
  ended: boolean,
): Phase {
  let initPending = 0;
  let initFailed = false;
  for (const status of inits) {
    const container = pod.spec?.initContainers?.find((c) => c.name === status.name);
    if (container === undefined) continue;
    if (isSidecar(container)) {
      if (status.started !== true && !ended) initPending += 1;
      continue;
    }
    const end =
      status.state?.terminated ?? (status.state?.waiting ? status.lastState?.terminated : undefined);
    if (end === undefined) initPending += 1;
    else if (end.exitCode !== 0) {
      initPending += 1;
      if (!shouldRestart(pod, container, end.exitCode, 'init')) initFailed = true;
    }
  }
  let waiting = 0;
  let running = 0;
  let stopped = 0;
  let succeeded = 0;
  let willRestart = false;
  for (const status of apps) {
    const container = pod.spec?.containers.find((c) => c.name === status.name);
    const end =
      status.state?.terminated ?? (status.state?.waiting ? status.lastState?.terminated : undefined);
    if (status.state?.running) running += 1;
    else if (end !== undefined) {
      stopped += 1;
      if (end.exitCode === 0) succeeded += 1;
      if (container !== undefined && shouldRestart(pod, container, end.exitCode, 'app')) willRestart = true;
    } else waiting += 1;
  }
  if (initFailed && ended) return 'Failed';
  if (ended && running === 0 && (stopped > 0 || initFailed)) {
    return stopped === apps.length && succeeded === stopped ? 'Succeeded' : 'Failed';
  }
  if (initPending > 0 && running === 0 && stopped === 0) return 'Pending';
  // Of those some have never started.
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (stopped > 0) {
    // Everything ended. Final only once nothing will restart and the pod was taken down.
    if (willRestart || !ended) return 'Running';
    return succeeded === stopped ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}

function containerStatus(
  input: StatusInput,
  container: Container,
  kind: Kind,
  defaultWaiting: Waiting,
): ContainerStatus {
  const instances = input.actual.containers.filter((c) => c.metadata.name === container.name);
  const created = instances[0]?.state === 'CONTAINER_CREATED' ? instances[0] : undefined;
  const ran = instances.filter(hasRun);
  const [newest, before] = ran;
  const waiting = input.waiting.get(container.name);
  const old = previousOf(input.previous, container.name, kind);

  let state: ContainerState;
  let lastState: ContainerState = {};
  if (newest === undefined) {
    // The record of a container that ended may be gone (an init container's often is): what was known stays.
    if (old?.state?.terminated !== undefined && waiting === undefined && created === undefined) {
      return { ...old, ready: kind === 'init' && old.state.terminated.exitCode === 0 };
    }
    state = { waiting: waitingState(waiting ?? defaultWaiting) };
    const end = old?.state?.running
      ? unlocated('deleted')
      : (old?.state?.terminated ?? old?.lastState?.terminated);
    if (end !== undefined) lastState = { terminated: end };
  } else if (isAlive(newest) && newest.startedAtMs > 0) {
    state = { running: { startedAt: time(newest.startedAtMs) } };
    if (before !== undefined) lastState = { terminated: terminated(input, before) };
  } else if (newest.state === 'CONTAINER_EXITED') {
    const end = { terminated: terminated(input, newest) };
    const pending = waiting ?? (created === undefined ? undefined : defaultWaiting);
    if (pending !== undefined && !input.ended) {
      state = { waiting: waitingState(pending) };
      lastState = end;
    } else {
      state = end;
      if (before !== undefined) lastState = { terminated: terminated(input, before) };
    }
  } else {
    // The runtime cannot tell: what was known stays.
    state = old?.state ?? { waiting: waitingState(defaultWaiting) };
    lastState = old?.lastState ?? {};
  }

  const shown = newest ?? created;
  const { started, ready } = readiness(input, container, kind, newest, old);
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: shown?.imageId ?? '',
    ...(shown === undefined ? {} : { containerID: `${input.runtimeName}://${shown.id}` }),
    restartCount: Math.max(newest === undefined ? 0 : restartCountOf(newest), old?.restartCount ?? 0),
    ready,
    started,
    state,
    lastState,
    ...resourcesNow(input.pod, container, newest),
    ...(container.resources?.requests === undefined
      ? {}
      : { allocatedResources: container.resources.requests }),
    ...(shown?.user === undefined ? {} : { user: { linux: shown.user } }),
    ...(container.volumeMounts === undefined
      ? {}
      : {
          volumeMounts: container.volumeMounts.map((m) => ({
            name: m.name,
            mountPath: m.mountPath,
            ...(m.readOnly === true
              ? {
                  readOnly: true,
                  recursiveReadOnly: m.recursiveReadOnly === 'Enabled' ? 'Enabled' : 'Disabled',
                }
              : {}),
          })),
        }),
    ...(container.lifecycle?.stopSignal === undefined ? {} : { stopSignal: container.lifecycle.stopSignal }),
  };
}

/** A running container has what was applied to it last; the others start with what is allocated. */
function resourcesNow(
  pod: Pod,
  container: Container,
  newest: rt.ContainerStatus | undefined,
): Pick<ContainerStatus, 'resources'> {
  const isRunning = newest?.state === 'CONTAINER_RUNNING' && isResizable(pod, container.name);
  const resources = (isRunning ? appliedResources(newest) : undefined) ?? container.resources;
  return resources === undefined ? {} : { resources };
}

function readiness(
  input: StatusInput,
  container: Container,
  kind: Kind,
  newest: rt.ContainerStatus | undefined,
  old: ContainerStatus | undefined,
): { started: boolean; ready: boolean } {
  if (newest === undefined || kind === 'ephemeral') return { started: false, ready: false };
  if (newest.state !== 'CONTAINER_RUNNING') {
    const done = newest.state === 'CONTAINER_EXITED' && newest.exitCode === 0;
    return { started: false, ready: kind === 'init' && !isSidecar(container) && done };
  }
  const isSame = old?.containerID === `${input.runtimeName}://${newest.id}`;
  const known = (probe: 'startup' | 'readiness', last: boolean | undefined): boolean => {
    const result = input.probes.get(newest.id, probe) ?? 'unknown';
    // Unknown is not false: what an earlier life of the agent knew of this very instance still holds.
    return result === 'unknown' ? isSame && last === true : result === 'success';
  };
  const started = container.startupProbe === undefined || known('startup', old?.started);
  const ready = started && (container.readinessProbe === undefined || known('readiness', old?.ready));
  return { started, ready: kind === 'init' && !isSidecar(container) ? false : ready };
}

function terminated(input: StatusInput, instance: rt.ContainerStatus) {
  const message = input.terminationMessages.get(instance.id) || instance.message;
  return {
    exitCode: instance.exitCode,
    reason: instance.reason || (instance.exitCode === 0 ? 'Completed' : 'Error'),
    ...(message === '' ? {} : { message }),
    startedAt: time(instance.startedAtMs),
    finishedAt: time(instance.finishedAtMs),
    containerID: `${input.runtimeName}://${instance.id}`,
  };
}

function conditions(
  input: StatusInput,
  phase: string,
  inits: readonly ContainerStatus[],
  apps: readonly ContainerStatus[],
  hasSandbox: boolean,
): PodCondition[] {
  const { pod } = input;
  const final = phase === 'Succeeded' || phase === 'Failed';
  const notInitialized = inits.filter((s) => {
    const container = pod.spec?.initContainers?.find((c) => c.name === s.name);
    return container !== undefined && isSidecar(container) ? s.started !== true : !s.ready;
  });
  const notReady = [
    ...apps.filter((s) => !s.ready),
    ...inits.filter((s) => {
      const container = pod.spec?.initContainers?.find((c) => c.name === s.name);
      return container !== undefined && isSidecar(container) && !s.ready;
    }),
  ];
  const completed = phase === 'Succeeded' ? { reason: 'PodCompleted' } : { reason: 'PodFailed' };
  const unready = { reason: 'ContainersNotReady', message: listing('unready', notReady) };
  const appsStarted = apps.some((s) => s.state?.running ?? s.state?.terminated ?? s.lastState?.terminated);
  const containersReady: Partial<PodCondition> = final
    ? { status: 'False', ...completed }
    : notReady.length > 0
      ? { status: 'False', ...unready }
      : { status: 'True' };
  const gates = pod.spec?.readinessGates ?? [];
  const unmetGate = gates.find(
    (g) => input.previous?.conditions?.find((c) => c.type === g.conditionType)?.status !== 'True',
  );
  const ready: Partial<PodCondition> =
    containersReady.status === 'True' && unmetGate !== undefined
      ? {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: `corresponding condition of pod readiness gate "${unmetGate.conditionType}" does not exist or is not True.`,
        }
      : containersReady;
  const wanted: [string, Partial<PodCondition>][] = [
    ['PodReadyToStartContainers', { status: hasSandbox ? 'True' : 'False' }],
    [
      'Initialized',
      phase === 'Succeeded' || appsStarted || notInitialized.length === 0
        ? { status: 'True', ...(phase === 'Succeeded' ? completed : {}) }
        : {
            status: 'False',
            reason: 'ContainersNotInitialized',
            message: listing('incomplete', notInitialized),
          },
    ],
    ['Ready', ready],
    ['ContainersReady', containersReady],
    ['PodScheduled', { status: 'True' }],
  ];
  const others = (input.previous?.conditions ?? []).filter((c) => !computedConditions.has(c.type));
  const disruption = disruptionTarget(input, final);
  const resize = final ? [] : resizeConditions(input.resize);
  const own = wanted.map(([type, condition]): PodCondition => {
    const before = input.previous?.conditions?.find((c) => c.type === type);
    const status = condition.status ?? 'Unknown';
    return {
      type,
      ...condition,
      status,
      lastTransitionTime:
        before?.status === status && before.lastTransitionTime !== undefined
          ? before.lastTransitionTime
          : time(input.nowMs),
      ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    };
  });
  return [
    ...own,
    ...resize,
    ...others.filter(({ type }) => type !== disruption?.type),
    ...(disruption ? [disruption] : []),
  ];
}

/** The reason of DisruptionTarget where the node ended the pod: with another one it is the word of others. */
export const terminationByKubelet = 'TerminationByKubelet';

/** Told with the final phase: until then it is not sure that nothing of the pod runs. */
function disruptionTarget(input: StatusInput, final: boolean): PodCondition | undefined {
  const { pod, previous, verdict, nowMs } = input;
  if (!final || verdict?.disruption === undefined) return undefined;
  const known = previous?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  const isTold = known?.status === 'True' && known.reason === terminationByKubelet;
  return {
    type: 'DisruptionTarget',
    status: 'True',
    reason: terminationByKubelet,
    message: verdict.disruption,
    lastTransitionTime: isTold ? known.lastTransitionTime : time(nowMs),
    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

function listing(what: 'unready' | 'incomplete', statuses: readonly ContainerStatus[]): string {
  const names = statuses.map((s) => s.name).join(' ');
  return what === 'unready'
    ? `containers with unready status: [${names}]`
    : `containers with incomplete status: [${names}]`;
}

function previousOf(previous: PodStatus | undefined, name: string, kind: Kind): ContainerStatus | undefined {
  const lists = {
    init: previous?.initContainerStatuses,
    app: previous?.containerStatuses,
    ephemeral: previous?.ephemeralContainerStatuses,
  };
  return lists[kind]?.find((s) => s.name === name);
}

const previousIps = (previous: PodStatus | undefined): readonly string[] =>
  previous?.podIPs?.map((p) => p.ip) ?? [];

const waitingState = (waiting: Waiting) => ({
  reason: waiting.reason,
  ...(waiting.message === '' ? {} : { message: waiting.message }),
});
