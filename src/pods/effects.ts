/**
 * What carries a plan out: makes sandboxes, starts and kills containers, mounts, probes, reports. Everything here is
 * idempotent; what is half done is seen by the next read of the runtime and done again or undone. Decisions are in
 * plan.ts; nothing here looks at what should be done.
 */
import { mkdir, rm } from 'node:fs/promises';
import {
  type ContainerStatus,
  type PodSandboxConfig,
  type Runtime,
  RuntimeError,
  type RuntimeHandler,
} from '../../runtime/runtime.ts';
import type { Pod, PodStatus } from '../api/core.gen.ts';
import { containerReference } from '../events/reference.ts';
import type { EventRecorder, EventType } from '../events.ts';
import { ImageError } from '../images/error.ts';
import type { ImageManager } from '../images/manager.ts';
import { type Paths, podDir, podLogDir } from '../paths.ts';
import type { ProbeManager } from '../probes/manager.ts';
import type { CgroupManager } from '../resources/cgroups.ts';
import { containerResources, type ResourceContext, withoutMissing } from '../resources/container.ts';
import type { Metrics } from '../server/metrics.ts';
import type { VolumeManager } from '../volumes/manager.ts';
import { VolumeError } from '../volumes/volume.ts';
import { type ActualPod, currentSandbox, latestInstance } from './actual.ts';
import { crashLoopBackoffAnnotation } from './backoff.ts';
import { ContainerConfigError } from './config-error.ts';
import { type ContainerContext, containerConfig } from './container-config.ts';
import type { DnsInput } from './dns.ts';
import { runHook } from './hooks.ts';
import {
  type AnyContainer,
  containerHashAnnotation,
  podName,
  podNamespace,
  podReference,
  podUid,
} from './identity.ts';
import { startConditionReason } from './lifecycle.ts';
import type { Action, Waiting } from './plan.ts';
import { podInForce, resizeCompletedMessage, resourcesAnnotation, resourcesText } from './resize.ts';
import { applyResize, type Resize } from './resizer.ts';
import { podSandboxConfig } from './sandbox-config.ts';
import { terminationMessage } from './termination-message.ts';

/** Why a container did not start, and when another try can help (undefined: the caller's back off). */
export interface StartFailure extends Waiting {
  retryInMs?: number;
}

type Of<Do extends Action['do']> = Extract<Action, { do: Do }>;

export interface PodEffectsOptions {
  runtime: Runtime;
  /** As the runtime last told of it. */
  handler: () => RuntimeHandler;
  paths: Paths;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  images: ImageManager;
  probes: ProbeManager;
  containers: ContainerContext;
  events: EventRecorder;
  metrics: Metrics;
  resources: ResourceContext;
  dns: () => DnsInput;
  /** Put on every sandbox and container, so that agents that share a runtime leave each other's alone. */
  ownerLabels: Readonly<Record<string, string>>;
}

export class PodEffects {
  readonly #o: PodEffectsOptions;

  constructor(options: PodEffectsOptions) {
    this.#o = options;
  }

  /** Returns why the pod's containers have to wait, when it did not work. */
  async createSandbox(
    pod: Pod,
    action: Of<'createSandbox'>,
    signal: AbortSignal,
  ): Promise<Waiting | undefined> {
    const { runtime, handler } = this.#o;
    try {
      if (action.replaces.length > 0) {
        this.#event(
          pod,
          'Normal',
          'SandboxChanged',
          'Pod sandbox changed, it will be killed and re-created.',
        );
        for (const id of action.replaces) await runtime.stopPodSandbox(id, signal);
      }
      const config = await this.#prepare(pod, action.attempt, signal);
      await runtime.runPodSandbox(config, handler().name, signal);
      this.#o.metrics.count('kubelet_started_pods_total', {});
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      this.#o.metrics.count('kubelet_started_pods_errors_total', {});
      const message = describe(err);
      if (isUnderWay(err)) return { reason: 'ContainerCreating', message };
      if (err instanceof VolumeError) this.#event(pod, 'Warning', err.reason, message);
      else {
        this.#event(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
      }
      return { reason: 'ContainerCreating', message };
    }
  }

  /** Returns why the image is not there, when it cannot be had. Host processes have none. */
  async pullImage(
    pod: Pod,
    { name }: Of<'pullImage'>,
    actual: ActualPod,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { runtime, images } = this.#o;
    const container = findContainer(pod, name);
    const sandbox = currentSandbox(actual);
    if (runtime.images === null || container === undefined || sandbox === undefined) return undefined;
    try {
      const sandboxConfig = await this.#prepare(podInForce(pod, actual), sandbox.metadata.attempt, signal);
      await images.ensureImage({ pod, container, images: runtime.images, sandboxConfig }, signal);
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      return startFailure(err);
    }
  }

  /** Returns why the container has to wait, when it did not start. */
  async startContainer(
    pod: Pod,
    action: Of<'startContainer'>,
    actual: ActualPod,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const container = findContainer(pod, action.name);
    const sandbox = currentSandbox(actual);
    if (container === undefined || sandbox === undefined) return undefined;
    const { metrics } = this.#o;
    const container_type = containerTypes[action.kind];
    try {
      const sandboxConfig = await this.#prepare(podInForce(pod, actual), sandbox.metadata.attempt, signal);
      await this.#start(pod, container, action, { sandboxConfig, ips: sandbox.ips, actual }, signal);
      metrics.count('kubelet_started_containers_total', { container_type });
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      const waiting = startFailure(err);
      metrics.count('kubelet_started_containers_errors_total', { container_type, code: waiting.reason });
      // The image manager has told of its own.
      if (!(err instanceof ImageError || isUnderWay(err))) {
        this.#containerEvent(
          pod,
          container,
          'Warning',
          err instanceof VolumeError ? err.reason : 'Failed',
          err instanceof VolumeError ? waiting.message : `Error: ${waiting.message}`,
        );
      }
      return waiting;
    }
  }

  /** @throws Error why what is allocated is not wholly applied */
  resize(resize: Resize, signal: AbortSignal): Promise<void> {
    return applyResize(this.#o, resize, signal);
  }

  /**
   * Runs the preStop hook and stops the container, all within its deadline. Returns undefined when it is down.
   * @param again it was being stopped already: the hook is not run a second time
   */
  async killContainer(
    pod: Pod,
    action: Of<'killContainer'>,
    actual: ActualPod,
    again: boolean,
    signal: AbortSignal,
  ): Promise<undefined> {
    const { runtime } = this.#o;
    const container = findContainer(pod, action.name);
    if (!again)
      this.#containerEvent(pod, container ?? { name: action.name }, 'Normal', 'Killing', action.message);
    const deadlineMs = performance.now() + action.graceMs;
    const remainingMs = () => deadlineMs - performance.now();
    const handler = container?.lifecycle?.preStop;
    if (handler !== undefined && container !== undefined && remainingMs() > 0 && !again) {
      try {
        await runHook({
          handler,
          pod,
          container,
          podIp: this.#podIps(pod, actual)[0] ?? '',
          exec: this.#exec(action.containerId),
          timeoutMs: Math.ceil(remainingMs()),
          signal,
        });
      } catch (err) {
        if (signal.aborted) throw err;
        this.#containerEvent(pod, container, 'Warning', 'FailedPreStopHook', describe(err));
      }
    }
    const graceMs = Math.max(remainingMs(), minimumGraceMs);
    await runtime.stopContainer(action.containerId, Math.ceil(graceMs / 1000), signal);
    return undefined;
  }

  /** Begins probing of the given instances and ends that of all others. */
  probe(
    pod: Pod,
    actual: ActualPod,
    running: ReadonlySet<ContainerStatus>,
    previous: PodStatus | undefined,
    stopping: boolean,
  ): void {
    const { probes, runtime } = this.#o;
    const podIp = this.#podIps(pod, actual)[0] ?? '';
    for (const instance of actual.containers) {
      if (!running.has(instance)) {
        probes.untrack(instance.id);
        continue;
      }
      const container = findContainer(pod, instance.metadata.name);
      if (container === undefined) continue;
      const known = [...(previous?.containerStatuses ?? []), ...(previous?.initContainerStatuses ?? [])].find(
        (s) => s.containerID === `${runtime.name}://${instance.id}`,
      );
      probes.track({
        pod,
        container,
        containerId: instance.id,
        podIp,
        startedAtMs: instance.startedAtMs,
        ros: {
          addresses: pod.spec?.hostNetwork === true ? [] : (currentSandbox(actual)?.ips ?? []),
          pids: () => this.#o.cgroups.pids(podUid(pod)),
        },
        exec: this.#exec(instance.id),
        ...(known === undefined ? {} : { restored: { ready: known.ready, started: known.started ?? false } }),
      });
    }
    if (stopping) probes.stopLivenessAndStartup(podUid(pod));
  }

  terminationMessage(instance: ContainerStatus, signal: AbortSignal): Promise<string> {
    return terminationMessage(instance, signal);
  }

  /** Of every container the newest and the one before are kept: they are its state and its last state. */
  async removeOldInstances(actual: ActualPod, signal: AbortSignal): Promise<void> {
    const kept = new Map<string, number>();
    for (const instance of actual.containers) {
      const name = instance.metadata.name;
      const count = (kept.get(name) ?? 0) + 1;
      kept.set(name, count);
      if (count > keptInstances && instance.state === 'CONTAINER_EXITED') {
        await this.#o.runtime.removeContainer(instance.id, signal);
        if (instance.logPath !== '') await rm(instance.logPath, { force: true });
      }
    }
    for (const [index, sandbox] of actual.sandboxes.entries()) {
      const used = actual.containers.some((c) => c.podSandboxId === sandbox.id);
      if (index > 0 && sandbox.state === 'SANDBOX_NOTREADY' && !used) {
        await this.#o.runtime.removePodSandbox(sandbox.id, signal);
      }
    }
  }

  async refreshVolumes(pod: Pod, actual: ActualPod, signal: AbortSignal): Promise<void> {
    if (actual.containers.length === 0) return;
    await this.#o.volumes.refresh(pod, signal);
  }

  /** Gives back what an ended pod holds of the node. Its records and logs stay. */
  async release(pod: Pod, signal: AbortSignal): Promise<void> {
    this.#o.probes.untrackPod(podUid(pod));
    this.#o.images.forgetPod(podUid(pod));
    await this.#o.volumes.tearDown(podUid(pod), signal);
    await this.#o.cgroups.removePod(podUid(pod), signal);
  }

  /** Removes every trace of a pod. */
  async remove(pod: Pod, actual: ActualPod, signal: AbortSignal): Promise<void> {
    const { runtime, paths } = this.#o;
    const uid = podUid(pod);
    for (const container of actual.containers) await runtime.removeContainer(container.id, signal);
    for (const sandbox of actual.sandboxes) await runtime.removePodSandbox(sandbox.id, signal);
    await this.release(pod, signal);
    await rm(podLogDir(paths, podNamespace(pod), podName(pod), uid), { recursive: true, force: true });
    await this.#o.volumes.removePodDir(uid, signal);
  }

  reportSyncError(pod: Pod, err: unknown): void {
    const reason = err instanceof VolumeError ? err.reason : 'FailedSync';
    this.#event(pod, 'Warning', reason, `error syncing pod: ${describe(err)}`);
  }

  reportResized(pod: Pod): void {
    this.#event(pod, 'Normal', 'ResizeCompleted', resizeCompletedMessage(pod));
  }

  reportLost(pod: Pod, instance: ContainerStatus): void {
    const { name } = instance.metadata;
    this.#containerEvent(
      pod,
      { name },
      'Warning',
      instance.reason,
      `Container ${name} was lost: ${instance.message}`,
    );
  }

  reportStartGate(pod: Pod, waitsFor: string): void {
    this.#event(pod, 'Normal', startConditionReason, `The pod ${waitsFor}`);
  }

  reportWaiting(pod: Pod, name: string, waiting: Waiting): void {
    if (waiting.reason !== 'CrashLoopBackOff') return;
    this.#containerEvent(
      pod,
      { name },
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${name} in pod ${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`,
    );
  }

  /**
   * What must be there before anything of the pod can run.
   * @param pod as it is in force: a limit that is to become lower is not lowered in passing
   */
  async #prepare(pod: Pod, attempt: number, signal: AbortSignal): Promise<PodSandboxConfig> {
    const { paths, cgroups, volumes } = this.#o;
    const uid = podUid(pod);
    await mkdir(podDir(paths, uid), { recursive: true, mode: 0o750 });
    await mkdir(podLogDir(paths, podNamespace(pod), podName(pod), uid), { recursive: true, mode: 0o755 });
    const cgroupParent = await cgroups.ensurePod(pod);
    await volumes.setUp(pod, signal);
    const { config, warnings } = podSandboxConfig(pod, {
      attempt,
      paths,
      cgroupParent,
      dns: this.#o.dns(),
    });
    for (const warning of warnings) this.#event(pod, 'Warning', warning.reason, warning.message);
    Object.assign(config.labels, this.#o.ownerLabels);
    return config;
  }

  async #start(
    pod: Pod,
    container: AnyContainer,
    action: Of<'startContainer'>,
    surroundings: Surroundings,
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime } = this.#o;
    const containerId =
      action.containerId ?? (await this.#create(pod, container, action, surroundings, signal));
    try {
      await named('RunContainerError', () => runtime.startContainer(containerId, signal));
    } catch (err) {
      if (action.containerId !== undefined && err instanceof StartError) {
        // What an earlier life of the agent made and is of no use is made anew.
        const { state } = await runtime.containerStatus(containerId, signal);
        if (state === 'CONTAINER_CREATED') await runtime.removeContainer(containerId, signal);
      }
      throw err;
    }
    this.#containerEvent(pod, container, 'Normal', 'Started', `Started container ${container.name}`);
    await this.#postStart(pod, container, containerId, surroundings.ips, signal);
  }

  /** Returns the id of the container that was made. */
  async #create(
    pod: Pod,
    container: AnyContainer,
    action: Of<'startContainer'>,
    { sandboxConfig, ips: sandboxIps, actual }: Surroundings,
    signal: AbortSignal,
  ): Promise<string> {
    const { runtime, handler, images } = this.#o;
    const target = container.targetContainerName;
    const image =
      runtime.images === null
        ? undefined
        : await images.ensureImage({ pod, container, images: runtime.images, sandboxConfig }, signal);
    const { config, warnings } = await containerConfig(
      this.#o.containers,
      {
        pod,
        container,
        restartCount: action.restartCount,
        sandboxConfig,
        imageRef: image?.imageRef ?? '',
        image: runtime.images === null ? null : (image?.image ?? {}),
        runtimeHandler: handler(),
        podIps: this.#ips(pod, sandboxIps),
        resources: withoutMissing(
          containerResources(pod, container, this.#o.resources),
          this.#o.cgroups.missing,
        ),
        ...(target === undefined ? {} : { targetContainerId: runningId(actual, target) }),
      },
      signal,
    );
    for (const warning of warnings) {
      this.#containerEvent(pod, container, 'Warning', warning.reason, warning.message);
    }
    Object.assign(config.labels, this.#o.ownerLabels);
    config.annotations[containerHashAnnotation] = action.hash;
    config.annotations[resourcesAnnotation] = resourcesText(container);
    config.annotations[crashLoopBackoffAnnotation] = String(action.backoffMs);
    const containerId = await named('CreateContainerError', () =>
      runtime.createContainer(action.podSandboxId, config, sandboxConfig, signal),
    );
    this.#containerEvent(pod, container, 'Normal', 'Created', `Created container: ${container.name}`);
    return containerId;
  }

  async #postStart(
    pod: Pod,
    container: AnyContainer,
    containerId: string,
    sandboxIps: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const postStart = container.lifecycle?.postStart;
    if (postStart === undefined) return;
    try {
      await runHook({
        handler: postStart,
        pod,
        container,
        podIp: this.#ips(pod, sandboxIps)[0] ?? '',
        exec: this.#exec(containerId),
        timeoutMs: 0,
        signal,
      });
    } catch (err) {
      if (signal.aborted) throw err;
      this.#containerEvent(pod, container, 'Warning', 'FailedPostStartHook', describe(err));
      this.#containerEvent(pod, container, 'Normal', 'Killing', 'FailedPostStartHook');
      await this.#o.runtime.stopContainer(containerId, pod.spec?.terminationGracePeriodSeconds ?? 30, signal);
      throw new StartError('PostStartHookError', describe(err), err);
    }
  }

  #exec(containerId: string) {
    return (command: readonly string[], timeoutMs: number, signal?: AbortSignal) =>
      this.#o.runtime.execSync(containerId, command, timeoutMs, signal);
  }

  #podIps(pod: Pod, actual: ActualPod): readonly string[] {
    return this.#ips(pod, currentSandbox(actual)?.ips ?? []);
  }

  #ips(pod: Pod, sandboxIps: readonly string[]): readonly string[] {
    return pod.spec?.hostNetwork === true ? this.#o.containers.node().hostIps : sandboxIps;
  }

  #event(pod: Pod, type: EventType, reason: string, message: string, fieldPath?: string): void {
    this.#o.events.event(
      { ...podReference(pod), ...(fieldPath === undefined ? {} : { fieldPath }) },
      type,
      reason,
      message,
    );
  }

  #containerEvent(
    pod: Pod,
    container: { name: string },
    type: EventType,
    reason: string,
    message: string,
  ): void {
    const { fieldPath } = containerReference(pod, container);
    this.#event(pod, type, reason, message, fieldPath);
  }
}

/** What a container is started in. */
interface Surroundings {
  sandboxConfig: PodSandboxConfig;
  ips: readonly string[];
  actual: ActualPod;
}

/** As metrics name them. */
const containerTypes = {
  app: 'container',
  init: 'init_container',
  sidecar: 'init_container',
  ephemeral: 'ephemeral_container',
} as const;

/** @throws ContainerConfigError when there are no processes to look at */
function runningId(actual: ActualPod, name: string): string {
  const instance = latestInstance(actual, name);
  if (instance?.state === 'CONTAINER_RUNNING') return instance.id;
  throw new ContainerConfigError(`unable to find target container ${name}`);
}

/** Instances of a container that are kept, the running one included. */
const keptInstances = 2;

/** What every container gets to end by itself, also when the hook or what ended before it used up the grace, as in the kubelet. */
const minimumGraceMs = 2000;

/** A start that failed at a step that has a name in the container's waiting state. */
class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: string;
  constructor(reason: string, message: string, cause: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

async function named<T>(reason: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (err) {
    // A runtime that is gone or at it already says nothing about the container.
    if (err instanceof RuntimeError && !['Unavailable', 'Cancelled', 'AlreadyExists'].includes(err.code)) {
      throw new StartError(reason, err.message, err);
    }
    throw err;
  }
}

/** An earlier life of the agent began it, and the runtime goes on with it: no failure, only to be looked at again. */
const isUnderWay = (err: unknown): boolean => err instanceof RuntimeError && err.code === 'AlreadyExists';

function startFailure(err: unknown): StartFailure {
  const message = describe(err);
  if (err instanceof ImageError) {
    const { reason, retryAtMs } = err;
    return {
      reason,
      message,
      ...(retryAtMs === undefined ? {} : { retryInMs: Math.max(retryAtMs - Date.now(), 0) }),
    };
  }
  if (err instanceof ContainerConfigError || err instanceof StartError)
    return { reason: err.reason, message };
  return { reason: 'ContainerCreating', message };
}

export function findContainer(pod: Pod, name: string): AnyContainer | undefined {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers].find((c) => c.name === name);
}

const describe = (err: unknown): string => (err instanceof Error ? err.message : String(err));
