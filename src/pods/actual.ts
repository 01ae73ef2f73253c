/** What a runtime really holds of one pod. The truth that plan and status are computed from. */
import type { ContainerExit, ContainerStatus, PodSandboxStatus } from '../../runtime/runtime.ts';
import { restartCountAnnotation } from './identity.ts';

export interface ActualPod {
  uid: string;
  /** Newest first. */
  sandboxes: readonly PodSandboxStatus[];
  /** Every instance of every container, newest first. */
  containers: readonly ContainerStatus[];
}

export const nothingActual = (uid: string): ActualPod => ({ uid, sandboxes: [], containers: [] });

/** The newest instance of a container, in one sandbox or in any. */
export function latestInstance(
  actual: ActualPod,
  name: string,
  podSandboxId?: string,
): ContainerStatus | undefined {
  return actual.containers.find(
    (c) => c.metadata.name === name && (podSandboxId === undefined || c.podSandboxId === podSandboxId),
  );
}

/** The sandbox that the pod's containers belong in: the newest one, when it is ready. */
export function currentSandbox(actual: ActualPod): PodSandboxStatus | undefined {
  const newest = actual.sandboxes[0];
  return newest?.state === 'SANDBOX_READY' ? newest : undefined;
}

/**
 * What the runtime holds, with ends that it has told of and does not show yet: those containers are still running by their
 * state, as they are being taken down and the end of their log may be missing, but have a time at which they finished.
 */
export const withExits = (actual: ActualPod, exits: ReadonlyMap<string, ContainerExit>): ActualPod => ({
  ...actual,
  containers: actual.containers.map((c) =>
    c.state === 'CONTAINER_RUNNING' && exits.has(c.id) ? { ...c, ...exits.get(c.id) } : c,
  ),
});

/** Lets go of the ends that the runtime shows by now. */
export function forgetShown(exits: Map<string, ContainerExit>, actual: ActualPod): void {
  const stillShown = new Set(
    actual.containers.filter((c) => c.state === 'CONTAINER_RUNNING').map(({ id }) => id),
  );
  for (const id of exits.keys()) if (!stillShown.has(id)) exits.delete(id);
}

/** Nothing of it runs any more: another may take its place. */
export const hasEnded = ({ state, finishedAtMs }: ContainerStatus): boolean =>
  state === 'CONTAINER_EXITED' || (state === 'CONTAINER_RUNNING' && finishedAtMs > 0);

export const isRunning = (container: ContainerStatus): boolean =>
  container.state === 'CONTAINER_RUNNING' && !hasEnded(container);

/** The runtime has something of it to stop, or still takes it down. */
export const isAlive = (container: ContainerStatus): boolean =>
  container.state === 'CONTAINER_RUNNING' || container.state === 'CONTAINER_UNKNOWN';

export const hasRun = (container: ContainerStatus): boolean => container.state !== 'CONTAINER_CREATED';

/** Ended, and nobody knows how: the runtime says so with the kubelet's reason. */
export const isLost = (container: ContainerStatus): boolean =>
  container.state === 'CONTAINER_EXITED' && container.reason === lostReason;

const lostReason = 'ContainerStatusUnknown';

export function restartCountOf(container: ContainerStatus): number {
  const written = Number.parseInt(container.annotations[restartCountAnnotation] ?? '', 10);
  return Number.isNaN(written) ? container.metadata.attempt : written;
}
