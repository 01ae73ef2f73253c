/** Gets a container to run: its image, the container itself, its postStart hook. */
import type { PodSandboxConfig, Runtime, RuntimeHandler } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { messageOf } from '../../error-message.ts';
import { containerReference } from '../../events/reference.ts';
import type { EventRecorder, ObjectReference } from '../../events.ts';
import { ImageError } from '../../images/error.ts';
import type { ImageManager } from '../../images/manager.ts';
import type { Logger } from '../../log.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { CgroupManager } from '../../resources/cgroups.ts';
import { containerResources, type ResourceContext, withoutMissing } from '../../resources/container.ts';
import { VolumeError } from '../../volumes/volume.ts';
import type { Action } from '../actions.ts';
import { type ActualPod, isRunning, latestInstance } from '../actual.ts';
import { crashLoopBackoffAnnotation } from '../backoff.ts';
import { findContainer } from '../containers.ts';
import { podGraceSeconds } from '../grace.ts';
import { runHook } from '../hooks.ts';
import { type AnyContainer, containerHashAnnotation, podKey } from '../identity.ts';
import { resourcesAnnotation, resourcesText } from '../resize.ts';
import { ContainerConfigError } from '../runtime-config/config-error.ts';
import { type ContainerContext, containerConfig } from '../runtime-config/container-config.ts';
import type { Turns } from '../turns.ts';
import { failingAs, isUnderWay, StartError, type StartFailure, startFailure } from './failure.ts';
import { execIn, podIps } from './reach.ts';
import type { Sandboxes } from './sandboxes.ts';

export interface ContainerStartDeps {
  runtime: Runtime;
  turns: Turns;
  /** As the runtime last told of it. */
  handler: () => RuntimeHandler;
  sandboxes: Pick<Sandboxes, 'prepareContainers'>;
  cgroups: CgroupManager;
  images: ImageManager;
  containers: ContainerContext;
  events: EventRecorder;
  metrics: Metrics;
  resources: ResourceContext;
  ownerLabels: Readonly<Record<string, string>>;
  log: Logger;
}

type StartAction = Extract<Action, { do: 'startContainer' }>;

/** What is started, in what. */
interface Subject {
  pod: Pod;
  container: AnyContainer;
  about: ObjectReference;
  actual: ActualPod;
  sandboxConfig: PodSandboxConfig;
}

export class ContainerStart {
  readonly #o: ContainerStartDeps;

  constructor(options: ContainerStartDeps) {
    this.#o = options;
  }

  /** Returns why the image is not there, when it cannot be had. Host processes have none. */
  async pullImage(
    pod: Pod,
    { name }: Extract<Action, { do: 'pullImage' }>,
    actual: ActualPod,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { runtime, images, sandboxes } = this.#o;
    const container = findContainer(pod, name);
    if (runtime.images === null || container === undefined) return undefined;
    try {
      const sandboxConfig = await sandboxes.prepareContainers(pod, actual, signal);
      if (sandboxConfig === undefined) return undefined;
      await images.ensureImage({ pod, container, images: runtime.images, sandboxConfig }, signal);
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      return startFailure(err);
    }
  }

  /** Returns why the container has to wait, when it did not start. */
  async start(
    pod: Pod,
    action: StartAction,
    actual: ActualPod,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { events, metrics, sandboxes } = this.#o;
    const container = findContainer(pod, action.name);
    if (container === undefined) return undefined;
    const about = containerReference(pod, container);
    const container_type = containerTypes[action.kind];
    try {
      const sandboxConfig = await sandboxes.prepareContainers(pod, actual, signal);
      if (sandboxConfig === undefined) return undefined;
      await this.#start({ pod, container, about, actual, sandboxConfig }, action, signal);
      metrics.count('kubelet_started_containers_total', { container_type });
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      const waiting = startFailure(err);
      metrics.count('kubelet_started_containers_errors_total', { container_type, code: waiting.reason });
      if (err instanceof VolumeError) events.event(about, 'Warning', err.reason, waiting.message);
      // The image manager has told of its own, and the hook was told of when it failed.
      else if (!(err instanceof ImageError || isUnderWay(err) || waiting.reason === postStartReason))
        events.event(about, 'Warning', 'Failed', `Error: ${waiting.message}`);
      return waiting;
    }
  }

  /** In a turn is only what the runtime does of it: the pull of an image and a hook take as long as they take. */
  async #start(subject: Subject, action: StartAction, signal: AbortSignal): Promise<void> {
    const { containerId: created } = action;
    const create =
      created === undefined ? await this.#creation(subject, action, signal) : async () => created;
    const run = async () => {
      const containerId = await create();
      await this.#run(containerId, action, signal);
      return containerId;
    };
    const containerId = await this.#o.turns('startContainer', subject.pod, run, signal);
    this.#o.events.event(subject.about, 'Normal', 'Started', `Started container ${action.name}`);
    await this.#postStart(subject, containerId, signal);
  }

  async #run(containerId: string, action: StartAction, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#o;
    try {
      await failingAs('RunContainerError', () => runtime.startContainer(containerId, signal));
    } catch (err) {
      if (action.containerId !== undefined && err instanceof StartError) {
        // What an earlier life of the agent made and is of no use is made anew.
        const { state } = await runtime.containerStatus(containerId, signal);
        if (state === 'CONTAINER_CREATED') await runtime.removeContainer(containerId, signal);
      }
      throw err;
    }
  }

  /** Sees to all that the container needs. Returns what makes it, which returns its id. */
  async #creation(
    { pod, container, about, actual, sandboxConfig }: Subject,
    action: StartAction,
    signal: AbortSignal,
  ): Promise<() => Promise<string>> {
    const { runtime, handler, images, containers, cgroups, events } = this.#o;
    const target = container.targetContainerName;
    const image =
      runtime.images === null
        ? undefined
        : await images.ensureImage({ pod, container, images: runtime.images, sandboxConfig }, signal);
    const { config, warnings } = await containerConfig(
      containers,
      {
        pod,
        container,
        restartCount: action.restartCount,
        sandboxConfig,
        imageRef: image?.imageRef ?? '',
        image: runtime.images === null ? null : (image?.image ?? {}),
        runtimeHandler: handler(),
        podIps: podIps(pod, actual, containers.node().hostIps),
        resources: withoutMissing(containerResources(pod, container, this.#o.resources), cgroups.missing),
        ...(target === undefined ? {} : { targetContainerId: runningId(actual, target) }),
      },
      signal,
    );
    for (const { reason, message } of warnings) events.event(about, 'Warning', reason, message);
    Object.assign(config.labels, this.#o.ownerLabels);
    config.annotations[containerHashAnnotation] = action.hash;
    config.annotations[resourcesAnnotation] = resourcesText(container);
    config.annotations[crashLoopBackoffAnnotation] = String(action.backoffMs);
    return async () => {
      const containerId = await failingAs('CreateContainerError', () =>
        runtime.createContainer(action.podSandboxId, config, sandboxConfig, signal),
      );
      events.event(about, 'Normal', 'Created', `Created container: ${container.name}`);
      return containerId;
    };
  }

  async #postStart(
    { pod, container, about, actual }: Subject,
    containerId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime, containers, events, log } = this.#o;
    const handler = container.lifecycle?.postStart;
    if (handler === undefined) return;
    try {
      const [podIp = ''] = podIps(pod, actual, containers.node().hostIps);
      const exec = execIn(runtime, containerId);
      await runHook({ handler, pod, container, podIp, exec, timeoutMs: 0, signal });
    } catch (err) {
      if (signal.aborted) throw err;
      // What a hook says may be secret, and events are read by many: it is in the pod's status and in the log.
      log.warn({ err, pod: podKey(pod), container: container.name }, 'postStart hook failed');
      events.event(about, 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
      events.event(about, 'Normal', 'Killing', 'FailedPostStartHook');
      await runtime.stopContainer(containerId, podGraceSeconds(pod), signal);
      throw new StartError(postStartReason, messageOf(err), err);
    }
  }
}

const postStartReason = 'PostStartHookError';

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
  if (instance !== undefined && isRunning(instance)) return instance.id;
  throw new ContainerConfigError(`unable to find target container ${name}`);
}
