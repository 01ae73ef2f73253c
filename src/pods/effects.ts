/**
 * What carries a plan out: makes sandboxes, starts and kills containers, mounts, probes, reports. Everything here is
 * idempotent; what is half done is seen by the next read of the runtime and done again or undone. Decisions are in
 * plan.ts; nothing here looks at what should be done.
 */
import type { ContainerStatus } from '../../runtime/runtime.ts';
import type { Pod } from '../api/core.gen.ts';
import type { ActualPod } from './actual.ts';
import { type ContainerKillDeps, type KillRequest, killContainer } from './effects/container-kill.ts';
import { ContainerStart, type ContainerStartDeps } from './effects/container-start.ts';
import { type Probing, type ProbingDeps, probePod } from './effects/probing.ts';
import { type RemovalDeps, releasePod, removeOldInstances, removePod } from './effects/removal.ts';
import { type PodReports, podReports } from './effects/reports.ts';
import { type SandboxDeps, Sandboxes } from './effects/sandboxes.ts';
import { applyResize, type Resize, type ResizeDeps } from './resizer.ts';
import { terminationMessage } from './termination-message.ts';

export type PodEffectsOptions = SandboxDeps &
  Omit<ContainerStartDeps, 'sandboxes'> &
  ContainerKillDeps &
  ProbingDeps &
  ResizeDeps &
  RemovalDeps;

export interface PodEffects extends PodReports {
  createSandbox: Sandboxes['create'];
  pullImage: ContainerStart['pullImage'];
  startContainer: ContainerStart['start'];
  killContainer(request: KillRequest, signal: AbortSignal): Promise<void>;
  /** @throws Error why what is allocated is not wholly applied */
  resize(resize: Resize, signal: AbortSignal): Promise<void>;
  probe(probing: Probing): void;
  terminationMessage(instance: ContainerStatus, signal: AbortSignal): Promise<string>;
  removeOldInstances(actual: ActualPod, signal: AbortSignal): Promise<void>;
  refreshVolumes(pod: Pod, actual: ActualPod, signal: AbortSignal): Promise<void>;
  /** Gives back what an ended pod holds of the node. Its records and logs stay. */
  release(pod: Pod, signal: AbortSignal): Promise<void>;
  /** Removes every trace of a pod. */
  remove(pod: Pod, actual: ActualPod, signal: AbortSignal): Promise<void>;
}

export function podEffects(options: PodEffectsOptions): PodEffects {
  const sandboxes = new Sandboxes(options);
  const containerStart = new ContainerStart({ ...options, sandboxes });
  return {
    createSandbox: (pod, action, signal) => sandboxes.create(pod, action, signal),
    pullImage: (pod, action, actual, signal) => containerStart.pullImage(pod, action, actual, signal),
    startContainer: (pod, action, actual, signal) => containerStart.start(pod, action, actual, signal),
    killContainer: (request, signal) => killContainer(options, request, signal),
    resize: (resize, signal) => applyResize(options, resize, signal),
    probe: (probing) => probePod(options, probing),
    terminationMessage,
    removeOldInstances: (actual, signal) => removeOldInstances(options, actual, signal),
    refreshVolumes: async (pod, actual, signal) => {
      if (actual.containers.length > 0) await options.volumes.refresh(pod, signal);
      // Its first container is still to come, with volumes as they are then.
      else sandboxes.changed(pod);
    },
    release: (pod, signal) => releasePod(options, pod, signal),
    remove: (pod, actual, signal) => removePod(options, pod, actual, signal),
    ...podReports(options.events),
  };
}
