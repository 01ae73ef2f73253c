/**
 * What to do next for one pod: a pure function of the desired pod, of what the runtime really holds, of the probes'
 * results and of the time. It is level-triggered: whatever happened before (a crash of the agent between two steps
 * included), the same facts give the same actions. Order and conditions follow the kubelet's: sandbox, init
 * containers one by one, sidecars among them, then the containers; hash changes, failed liveness and startup probes
 * kill; `Never` and `OnFailure` end the pod; on the way down containers first, then sidecars in reverse order.
 */

import type { ContainerStatus } from '../../runtime/runtime.ts';
import type { Container, Pod } from '../api/core.gen.ts';
import type { ProbeKind, ProbeResults } from '../probes/results.ts';
import { type ActualPod, currentSandbox, hasRun, isAlive, latestInstance, restartCountOf } from './actual.ts';
import { type BackoffConfig, backoffAfter, nextBackoff } from './backoff.ts';
import { containerHashAnnotation, isSidecar, podName, podNamespace } from './identity.ts';
import { resizableContainers, resizeOf } from './resize.ts';
import { shouldRestart } from './restart.ts';

export type Intent =
  /** `gate`: why the first container has to wait for others; the pod is prepared meanwhile. */
  | { kind: 'run'; gate?: Waiting & { unmet: readonly string[] } }
  /** All that containers need is there, none of them runs. */
  | { kind: 'prepare'; why: Waiting }
  /** Nothing of the pod is on the machine. */
  | { kind: 'clear'; why: Waiting }
  /** The pod is to end; this is what is left of its grace. */
  | { kind: 'stop'; graceMs: number };

export type ContainerKind = 'init' | 'sidecar' | 'app' | 'ephemeral';

export type Action =
  | { do: 'createSandbox'; attempt: number; replaces: string[] }
  | { do: 'stopSandbox'; podSandboxId: string }
  | {
      do: 'startContainer';
      name: string;
      kind: ContainerKind;
      podSandboxId: string;
      /** An instance that an earlier life of the agent made and may be starting still: it is the one to start. */
      containerId?: string;
      restartCount: number;
      /** Written on the instance, to tell later whether its spec changed. */
      hash: string;
      /** Delay that will apply when this instance ends. */
      backoffMs: number;
    }
  | {
      do: 'killContainer';
      containerId: string;
      name: string;
      reason: KillReason;
      message: string;
      /** From now; the container is killed hard then. */
      graceMs: number;
    }
  | { do: 'removeContainer'; containerId: string }
  /** Applies what is allocated to the pod's cgroup and to these containers, which go on. */
  | { do: 'resize'; names: string[] }
  /** Makes sure that the image of a container is there. */
  | { do: 'pullImage'; name: string };

export type KillReason = 'pod' | 'deactivated' | 'changed' | 'liveness' | 'startup' | 'unknown';

export interface Waiting {
  reason: string;
  message: string;
}

export interface Plan {
  actions: Action[];
  /** Why a container that should run does not yet. */
  waiting: Map<string, Waiting>;
  /** When the same facts would give another plan. */
  wakeAtMs?: number;
  /** Set when nothing of this pod will ever run again: it is to be stopped for good. */
  end?: { phase?: 'Failed'; reason?: string; message?: string };
  /** True when nothing of the pod is alive any more (only with the intents to stop and to clear). */
  stopped: boolean;
  /** True when containers could start at once: there is a sandbox, and the images that were to be prepared. */
  prepared: boolean;
}

export interface PlanInput {
  pod: Pod;
  intent: Intent;
  actual: ActualPod;
  probes: ProbeResults;
  backoff: BackoffConfig;
  /** Hash of a container's spec as written on its instances. */
  containerHash: (container: Container) => string;
  /** Ids of instances that were killed only to be started again. */
  replaced: ReadonlySet<string>;
  /** Names of containers whose image was made sure of. */
  pulled: ReadonlySet<string>;
  /** Restarts that were counted before the instances that are there now, by container name. */
  restartCounts: ReadonlyMap<string, number>;
  /** What is allocated to the pod was not wholly applied yet. */
  resizing: boolean;
  /** When the pod was first seen, for activeDeadlineSeconds. */
  startedAtMs: number;
  nowMs: number;
}

export function plan(input: PlanInput): Plan {
  const { intent } = input;
  switch (intent.kind) {
    case 'stop':
      return planStop(input, intent.graceMs);
    case 'clear':
      return planClear(input, intent.why);
    case 'prepare':
      return planPrepare(input, intent.why);
    case 'run':
      return planRun(input, intent.gate);
  }
}

/** Grace of a container that is killed alone because a probe failed; the probe's own beats the pod's. */
function probeGraceSeconds(pod: Pod, container: Container, kind: ProbeKind): number {
  const probe = kind === 'startup' ? container.startupProbe : container.livenessProbe;
  return probe?.terminationGracePeriodSeconds ?? podGraceSeconds(pod);
}

export const podGraceSeconds = (pod: Pod): number => pod.spec?.terminationGracePeriodSeconds ?? 30;

function planRun(input: PlanInput, gate: Waiting | undefined): Plan {
  const { pod, actual, nowMs } = input;
  const result = nothingPlanned();

  const deadlineSeconds = pod.spec?.activeDeadlineSeconds;
  if (deadlineSeconds !== undefined) {
    const deadlineMs = input.startedAtMs + deadlineSeconds * 1000;
    if (nowMs >= deadlineMs) {
      return {
        ...result,
        end: {
          phase: 'Failed',
          reason: 'DeadlineExceeded',
          message: 'Pod was active on the node longer than the specified deadline',
        },
      };
    }
    wakeAt(result, deadlineMs);
  }

  const sandbox = currentSandbox(actual);
  if (sandbox === undefined) return planSandbox(input, result);
  for (const stale of actual.sandboxes.slice(1)) {
    if (stale.state === 'SANDBOX_READY') result.actions.push({ do: 'stopSandbox', podSandboxId: stale.id });
  }

  // What has once started in this sandbox has had its turn.
  if (gate !== undefined && !actual.containers.some((c) => c.podSandboxId === sandbox.id)) {
    return prepare(input, gate, result);
  }
  result.prepared = true;
  const named = [...containerNames(pod), ...(pod.spec?.ephemeralContainers ?? []).map((c) => c.name)];
  for (const instance of actual.containers) {
    if (isAlive(instance) && !named.includes(instance.metadata.name)) {
      kill(
        result,
        input,
        instance,
        'changed',
        `Container ${instance.metadata.name} is no longer part of the pod`,
      );
    }
  }
  planEphemeral(input, sandbox.id, result);
  const initialized = planInit(input, sandbox.id, result);
  if (result.end !== undefined) return result;
  if (initialized) planApps(input, sandbox.id, result);
  if (result.end === undefined) planResize(input, sandbox.id, result);
  return result;
}

function planResize(input: PlanInput, podSandboxId: string, result: Plan): void {
  const killed = new Set(result.actions.flatMap((a) => (a.do === 'killContainer' ? [a.containerId] : [])));
  const needing = (what: 'update' | 'restart') =>
    resizableContainers(input.pod).flatMap((container) => {
      const instance = latestInstance(input.actual, container.name, podSandboxId);
      if (instance?.state !== 'CONTAINER_RUNNING' || killed.has(instance.id)) return [];
      return resizeOf(container, instance) === what ? [container.name] : [];
    });
  const names = needing('update');
  // What has to be started anew gets its share of the pod's cgroup when it starts, and is perhaps not killed yet.
  const canEnd = input.resizing && killed.size === 0 && needing('restart').length === 0;
  if (names.length > 0 || canEnd) result.actions.push({ do: 'resize', names });
}

/** No ready sandbox: make one, unless everything that the pod should ever run has run. */
function planSandbox(input: PlanInput, result: Plan): Plan {
  const { pod, actual } = input;
  const newest = actual.sandboxes[0];
  const alive = actual.containers.filter(isAlive);
  if (newest !== undefined && actual.containers.length > 0) {
    const apps = pod.spec?.containers ?? [];
    const finished = apps.map((container) => {
      const last = latestInstance(actual, container.name);
      if (last === undefined) return false;
      return isAlive(last)
        ? pod.spec?.restartPolicy === 'Never'
        : last.state === 'CONTAINER_EXITED' && !shouldRestart(pod, container, last.exitCode, 'app');
    });
    const startedOnce = apps.some((container) => latestInstance(actual, container.name) !== undefined);
    const initFailed = (pod.spec?.initContainers ?? []).some((container) => {
      if (isSidecar(container) || startedOnce) return false;
      const last = latestInstance(actual, container.name);
      return (
        last?.state === 'CONTAINER_EXITED' &&
        last.exitCode !== 0 &&
        !shouldRestart(pod, container, last.exitCode, 'init')
      );
    });
    if (finished.every(Boolean) || initFailed) return { ...result, end: {} };
  }
  // What the lost sandbox left behind must be gone first: its processes may hold ports and locks.
  for (const container of alive) kill(result, input, container, 'pod', 'Pod sandbox changed');
  if (alive.length === 0) makeSandbox(input, result);
  return result;
}

function makeSandbox({ actual, nowMs }: PlanInput, result: Plan): void {
  const newest = actual.sandboxes[0];
  // A sandbox that dies as soon as it is made is not made again without end.
  if (newest !== undefined && newest.metadata.attempt >= quickSandboxes) {
    const untilMs = newest.createdAtMs + sandboxBackoffMs;
    if (newest.createdAtMs <= nowMs && nowMs < untilMs) {
      wakeAt(result, untilMs);
      return;
    }
  }
  result.actions.push({
    do: 'createSandbox',
    attempt: newest === undefined ? 0 : newest.metadata.attempt + 1,
    replaces: actual.sandboxes.map((s) => s.id),
  });
}

/** How many sandboxes are made one right after the other, and how old one must be after that. */
const quickSandboxes = 3;
const sandboxBackoffMs = 10_000;

/** Containers for debugging: started once, whatever else the pod does, and never again. */
function planEphemeral(input: PlanInput, podSandboxId: string, result: Plan): void {
  for (const container of input.pod.spec?.ephemeralContainers ?? []) {
    const hasRun = input.actual.containers.some(
      (c) => c.metadata.name === container.name && c.state !== 'CONTAINER_CREATED',
    );
    if (!hasRun) start(input, podSandboxId, container, 'ephemeral', undefined, result);
  }
}

/** Plans the init containers and sidecars. Returns whether the containers may start. */
function planInit(input: PlanInput, podSandboxId: string, result: Plan): boolean {
  const { pod, actual } = input;
  const inits = pod.spec?.initContainers ?? [];
  const appsStarted = (pod.spec?.containers ?? []).some((c) => {
    const instance = latestInstance(actual, c.name, podSandboxId);
    return instance !== undefined && hasRun(instance);
  });
  // The record of an init container that succeeded may have been removed: a later one proves that it had run.
  const reached = inits.findLastIndex((c) => latestInstance(actual, c.name, podSandboxId) !== undefined);
  for (const [index, container] of inits.entries()) {
    const instance = latestInstance(actual, container.name, podSandboxId);
    const passed = appsStarted || index < reached;
    if (isSidecar(container)) {
      const ready = planSidecar(input, podSandboxId, container, instance, result);
      if (!ready && !appsStarted) return false;
      continue;
    }
    if (appsStarted || (instance === undefined && passed)) continue;
    if (instance?.state === 'CONTAINER_EXITED' && !input.replaced.has(instance.id)) {
      if (instance.exitCode === 0) continue;
      if (!shouldRestart(pod, container, instance.exitCode, 'init')) {
        result.end = {};
        return false;
      }
    }
    if (instance?.state === 'CONTAINER_RUNNING') killIfChanged(input, container, instance, result);
    else start(input, podSandboxId, container, 'init', instance, result);
    return false;
  }
  return true;
}

/** Returns whether what comes after the sidecar may start. */
function planSidecar(
  input: PlanInput,
  podSandboxId: string,
  container: Container,
  instance: ContainerStatus | undefined,
  result: Plan,
): boolean {
  if (instance?.state === 'CONTAINER_RUNNING') {
    if (killIfChanged(input, container, instance, result)) return false;
    if (killIfUnhealthy(input, container, instance, result)) return false;
    return isStarted(input.probes, instance.id);
  }
  start(input, podSandboxId, container, 'sidecar', instance, result);
  return false;
}

function planApps(input: PlanInput, podSandboxId: string, result: Plan): void {
  const { pod, actual } = input;
  let kept = 0;
  for (const container of pod.spec?.containers ?? []) {
    const instance = latestInstance(actual, container.name, podSandboxId);
    if (instance?.state === 'CONTAINER_RUNNING') {
      kept += 1;
      if (!killIfChanged(input, container, instance, result)) {
        killIfUnhealthy(input, container, instance, result);
      }
    } else if (
      instance?.state === 'CONTAINER_EXITED' &&
      !input.replaced.has(instance.id) &&
      !shouldRestart(pod, container, instance.exitCode, 'app')
    ) {
      // Done for good.
    } else if (instance === undefined && doneInEarlierSandbox(input, container, podSandboxId)) {
      // Done for good before the sandbox was replaced.
    } else {
      kept += 1;
      start(input, podSandboxId, container, 'app', instance, result);
    }
  }
  if (kept === 0) result.end = {};
}

function doneInEarlierSandbox(input: PlanInput, container: Container, podSandboxId: string): boolean {
  const last = latestInstance(input.actual, container.name);
  return (
    last !== undefined &&
    last.podSandboxId !== podSandboxId &&
    last.state === 'CONTAINER_EXITED' &&
    !shouldRestart(input.pod, container, last.exitCode, 'app')
  );
}

function start(
  input: PlanInput,
  podSandboxId: string,
  container: Container,
  kind: ContainerKind,
  instance: ContainerStatus | undefined,
  result: Plan,
): void {
  const { actual, backoff, nowMs, pod } = input;
  if (instance?.state === 'CONTAINER_UNKNOWN') {
    const why = instance.message === '' ? '' : `: ${instance.message}`;
    kill(result, input, instance, 'unknown', `Container ${container.name} is in an unknown state${why}`);
    return;
  }
  let restartCount = input.restartCounts.get(container.name) ?? 0;
  // Instances that were made but never ran are no restart. One that is still as wanted is started and not replaced: its
  // start may be under way, begun by an earlier life of the agent, and removing it would end what has just begun to run.
  const created =
    instance?.state === 'CONTAINER_CREATED' &&
    !isChanged(input, container, instance) &&
    resizeOf(container, instance) === 'none'
      ? instance
      : undefined;
  const abandoned = actual.containers.filter(
    (c) => c.metadata.name === container.name && c.state === 'CONTAINER_CREATED' && c !== created,
  );
  for (const { id } of abandoned) result.actions.push({ do: 'removeContainer', containerId: id });
  const previous = actual.containers.find((c) => c.metadata.name === container.name && hasRun(c));
  let backoffMs = 0;
  if (previous !== undefined) {
    restartCount = Math.max(restartCountOf(previous) + 1, restartCount);
    backoffMs = nextBackoff(previous, backoff);
    const changed = isChanged(input, container, previous) || resizeOf(container, previous) === 'restart';
    const delayMs = changed || previous.podSandboxId !== podSandboxId ? 0 : backoffAfter(previous, backoff);
    // An end that lies in the future shows that the clock was set back: nobody knows how long ago it was.
    const untilMs = previous.finishedAtMs > nowMs ? nowMs : previous.finishedAtMs + delayMs;
    if (untilMs > nowMs) {
      result.waiting.set(container.name, {
        reason: 'CrashLoopBackOff',
        message: `back-off ${formatDelay(delayMs)} restarting failed container=${container.name} pod=${podName(pod)}_${podNamespace(pod)}(${pod.metadata?.uid})`,
      });
      wakeAt(result, untilMs);
      return;
    }
    if (changed) backoffMs = 0;
  }
  result.actions.push({
    do: 'startContainer',
    name: container.name,
    kind,
    podSandboxId,
    ...(created === undefined ? {} : { containerId: created.id }),
    restartCount,
    hash: input.containerHash(container),
    backoffMs,
  });
}

function isChanged(input: PlanInput, container: Container, instance: ContainerStatus): boolean {
  const written = instance.annotations[containerHashAnnotation];
  return written !== undefined && written !== input.containerHash(container);
}

function killIfChanged(
  input: PlanInput,
  container: Container,
  instance: ContainerStatus,
  result: Plan,
): boolean {
  const isOther = isChanged(input, container, instance);
  if (!isOther && resizeOf(container, instance) !== 'restart') return false;
  const why = isOther ? 'definition changed, will be restarted' : 'resize requires restart';
  kill(result, input, instance, 'changed', `Container ${container.name} ${why}`);
  return true;
}

function killIfUnhealthy(
  input: PlanInput,
  container: Container,
  instance: ContainerStatus,
  result: Plan,
): boolean {
  for (const kind of ['startup', 'liveness'] as const) {
    if (input.probes.get(instance.id, kind) !== 'failure') continue;
    kill(
      result,
      input,
      instance,
      kind,
      `Container ${container.name} failed ${kind} probe, will be restarted`,
      probeGraceSeconds(input.pod, container, kind),
    );
    return true;
  }
  return false;
}

function isStarted(probes: ProbeResults, containerId: string): boolean {
  const startup = probes.get(containerId, 'startup');
  return startup === undefined || startup === 'success';
}

/** Not active: no container runs, and the next activation begins anew, with the init containers. */
function planPrepare(input: PlanInput, why: Waiting): Plan {
  const { actual } = input;
  const result = nothingPlanned();
  const graceMs = podGraceSeconds(input.pod) * 1000;
  if (stopContainers(input, result, { reason: 'deactivated', graceMs })) return result;
  for (const ended of actual.containers)
    result.actions.push({ do: 'removeContainer', containerId: ended.id });
  if (result.actions.length > 0) return result;
  if (currentSandbox(actual) === undefined) makeSandbox(input, result);
  else prepare(input, why, result);
  return result;
}

/** In a sandbox that is there and before any container. */
function prepare(input: PlanInput, why: Waiting, result: Plan): Plan {
  for (const name of containerNames(input.pod)) {
    // Why an image cannot be had is more than that the pod waits.
    if (!input.pulled.has(name)) result.actions.push({ do: 'pullImage', name });
    else result.waiting.set(name, why);
  }
  result.prepared = result.actions.length === 0;
  return result;
}

function planClear(input: PlanInput, why: Waiting): Plan {
  const result = planStop(input, podGraceSeconds(input.pod) * 1000, 'deactivated');
  for (const name of containerNames(input.pod)) result.waiting.set(name, why);
  return result;
}

function planStop(input: PlanInput, graceMs: number, reason: KillReason = 'pod'): Plan {
  const result = nothingPlanned();
  if (stopContainers(input, result, { reason, graceMs })) return result;
  for (const sandbox of input.actual.sandboxes) {
    if (sandbox.state === 'SANDBOX_READY') {
      result.actions.push({ do: 'stopSandbox', podSandboxId: sandbox.id });
    }
  }
  result.stopped = result.actions.length === 0;
  return result;
}

/** On the way down: everything but sidecars at once, then sidecars last to first. Returns whether anything is alive. */
function stopContainers(
  { actual, pod }: PlanInput,
  result: Plan,
  how: { reason: KillReason; graceMs: number },
): boolean {
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const alive = actual.containers.filter(isAlive);
  const first = alive.filter((c) => !sidecars.includes(c.metadata.name));
  const lastSidecar = sidecars.findLast((name) => alive.some((c) => c.metadata.name === name));
  const next = first.length > 0 ? first : alive.filter((c) => c.metadata.name === lastSidecar);
  for (const container of next) {
    result.actions.push({
      do: 'killContainer',
      containerId: container.id,
      name: container.metadata.name,
      message: `Stopping container ${container.metadata.name}`,
      ...how,
    });
  }
  return alive.length > 0;
}

const nothingPlanned = (): Plan => ({ actions: [], waiting: new Map(), stopped: false, prepared: false });

const containerNames = (pod: Pod): string[] =>
  [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((c) => c.name);

function kill(
  result: Plan,
  input: PlanInput,
  container: ContainerStatus,
  reason: KillReason,
  message: string,
  graceSeconds: number = podGraceSeconds(input.pod),
): void {
  result.actions.push({
    do: 'killContainer',
    containerId: container.id,
    name: container.metadata.name,
    reason,
    message,
    graceMs: graceSeconds * 1000,
  });
}

function wakeAt(result: Plan, atMs: number): void {
  result.wakeAtMs = Math.min(result.wakeAtMs ?? Number.POSITIVE_INFINITY, atMs);
}

/** Go's duration style, which users of kubectl know: 10s, 1m20s, 5m0s. */
function formatDelay(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return `${ms}ms`;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
