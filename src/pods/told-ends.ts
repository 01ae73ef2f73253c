/**
 * How containers ended, as the pod's last status tells, be it one of an earlier life of the agent. A runtime that was killed
 * before it noted an end knows of it only that there was one, for good: a job that was done would be run again, or read as
 * failed.
 */
import type { ContainerStatus } from '../../runtime/runtime.ts';
import type { ContainerStateTerminated, PodStatus } from '../api/core.gen.ts';
import { type ActualPod, isLost } from './actual.ts';

export function toldEnd(
  status: PodStatus | undefined,
  containerId: string,
): ContainerStateTerminated | undefined {
  const {
    containerStatuses = [],
    initContainerStatuses = [],
    ephemeralContainerStatuses = [],
  } = status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses]
    .flatMap(({ state, lastState }) => [state?.terminated, lastState?.terminated])
    .find((end) => end?.containerID?.endsWith(`://${containerId}`));
}

/** What the runtime holds, with the ends that were told and that it does not know itself. */
export const withToldEnds = (actual: ActualPod, status: PodStatus | undefined): ActualPod => ({
  ...actual,
  containers: actual.containers.map((container) => {
    const told = isUnknown(container) ? toldEnd(status, container.id) : undefined;
    return told === undefined ? container : { ...container, ...exitOf(told, container) };
  }),
});

/** By containerd's word or by the kubelet's. */
const isUnknown = (container: ContainerStatus): boolean =>
  isLost(container) || (container.state === 'CONTAINER_EXITED' && container.reason === 'Unknown');

const exitOf = (
  { exitCode, reason = '', finishedAt = '' }: ContainerStateTerminated,
  now: ContainerStatus,
) => ({
  exitCode,
  reason,
  finishedAtMs: Date.parse(finishedAt) || now.finishedAtMs,
});
