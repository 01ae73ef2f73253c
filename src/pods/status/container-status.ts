/** The status of one container of a pod. What is not known, or known no more, stays as it was. */
import type * as rt from '../../../runtime/runtime.ts';
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
  PodStatus,
} from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import type { Waiting } from '../actions.ts';
import { hasEnded, hasRun, isAlive, restartCountOf } from '../actual.ts';
import { isSidecar } from '../identity.ts';
import { appliedResources, isResizable } from '../resize.ts';
import type { StatusInput } from './input.ts';

export type ContainerKind = 'init' | 'app' | 'ephemeral';

/** @param defaultWaiting what it waits for where nothing else is known */
export function containerStatus(
  input: StatusInput,
  container: Container,
  kind: ContainerKind,
  defaultWaiting: Waiting,
): ContainerStatus {
  const instances = input.actual.containers.filter((c) => c.metadata.name === container.name);
  const created = instances[0]?.state === 'CONTAINER_CREATED' ? instances[0] : undefined;
  const [newest, before] = instances.filter(hasRun);
  // What has ended waits for nothing.
  const waiting = input.ended ? undefined : input.waiting.get(container.name);
  const old = previousOf(input.previous, container.name, kind);
  // The record of a container that ended may be gone (an init container's often is): what was known stays.
  if ((newest ?? created ?? waiting) === undefined && old?.state?.terminated !== undefined) {
    return { ...old, ready: kind === 'init' && old.state.terminated.exitCode === 0 };
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
    ...states(input, { newest, before, created, waiting, old, defaultWaiting }),
    ...resourcesNow(input.pod, container, newest),
    ...(container.resources?.requests === undefined
      ? {}
      : { allocatedResources: container.resources.requests }),
    ...(shown?.user === undefined ? {} : { user: { linux: shown.user } }),
    ...mounted(container),
    ...(container.lifecycle?.stopSignal === undefined ? {} : { stopSignal: container.lifecycle.stopSignal }),
  };
}

/** A container that nothing will run any more has ended, also when nothing is known of its end. */
export function lost(status: ContainerStatus): ContainerStatus {
  if (status.state?.waiting === undefined) return status;
  return { ...status, state: { terminated: unlocated('terminated') } };
}

function previousOf(
  previous: PodStatus | undefined,
  name: string,
  kind: ContainerKind,
): ContainerStatus | undefined {
  const lists = {
    init: previous?.initContainerStatuses,
    app: previous?.containerStatuses,
    ephemeral: previous?.ephemeralContainerStatuses,
  };
  return lists[kind]?.find((s) => s.name === name);
}

interface KnownOfContainer {
  /** Of the instances that have run. */
  newest: rt.ContainerStatus | undefined;
  before: rt.ContainerStatus | undefined;
  /** The next instance, which was not started yet. */
  created: rt.ContainerStatus | undefined;
  waiting: Waiting | undefined;
  old: ContainerStatus | undefined;
  defaultWaiting: Waiting;
}

function states(
  input: StatusInput,
  { newest, before, created, waiting, old, defaultWaiting }: KnownOfContainer,
): { state: ContainerState; lastState: ContainerState } {
  const endOf = (instance: rt.ContainerStatus | undefined): ContainerState =>
    instance === undefined ? {} : { terminated: terminated(input, instance) };
  if (newest === undefined) {
    const end = old?.state?.running
      ? unlocated('deleted')
      : (old?.state?.terminated ?? old?.lastState?.terminated);
    return {
      state: { waiting: waitingState(waiting ?? defaultWaiting) },
      lastState: end === undefined ? {} : { terminated: end },
    };
  }
  if (isAlive(newest) && newest.startedAtMs > 0) {
    // How one ended that is still being taken down is perhaps known later.
    const isUnknown = before !== undefined && !hasEnded(before);
    return {
      state: { running: { startedAt: time(newest.startedAtMs) } },
      lastState: isUnknown ? (old?.lastState ?? {}) : endOf(before),
    };
  }
  if (newest.state === 'CONTAINER_EXITED') {
    const pending = waiting ?? (created === undefined ? undefined : defaultWaiting);
    return pending !== undefined && !input.ended
      ? { state: { waiting: waitingState(pending) }, lastState: endOf(newest) }
      : { state: endOf(newest), lastState: endOf(before) };
  }
  // The runtime cannot tell: what was known stays.
  return {
    state: old?.state ?? { waiting: waitingState(defaultWaiting) },
    lastState: old?.lastState ?? {},
  };
}

const waitingState = (waiting: Waiting) => ({
  reason: waiting.reason,
  ...(waiting.message === '' ? {} : { message: waiting.message }),
});

function terminated(input: StatusInput, instance: rt.ContainerStatus): ContainerStateTerminated {
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

/** In the kubelet's words. */
const unlocated = (what: 'deleted' | 'terminated'): ContainerStateTerminated => ({
  reason: 'ContainerStatusUnknown',
  message: `The container could not be located when the pod was ${what}`,
  exitCode: 137,
});

function readiness(
  input: StatusInput,
  container: Container,
  kind: ContainerKind,
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

function mounted({ volumeMounts }: Container): Pick<ContainerStatus, 'volumeMounts'> {
  if (volumeMounts === undefined) return {};
  return {
    volumeMounts: volumeMounts.map((m) => ({
      name: m.name,
      mountPath: m.mountPath,
      ...(m.readOnly === true
        ? { readOnly: true, recursiveReadOnly: m.recursiveReadOnly === 'Enabled' ? 'Enabled' : 'Disabled' }
        : {}),
    })),
  };
}
