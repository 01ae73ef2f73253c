/** The phase of a pod as the kubelet derives it from its containers' states. */
import type { ContainerStateTerminated, ContainerStatus, Pod } from '../../api/core.gen.ts';
import { isSidecar } from '../identity.ts';
import { shouldRestart } from '../restart.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** What has ended is never told as Pending or Running. */
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
  const init = countInits(pod, inits, ended);
  const { waiting, running, stopped, succeeded, willRestart } = countApps(pod, apps);
  if (init.hasFailed && ended) return 'Failed';
  if (ended && running === 0 && stopped > 0) {
    return stopped === apps.length && succeeded === stopped ? 'Succeeded' : 'Failed';
  }
  if (init.pending > 0 && running === 0 && stopped === 0) return 'Pending';
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

/** Those that are not done yet, and whether one has failed for good. */
function countInits(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  ended: boolean,
): { pending: number; hasFailed: boolean } {
  const counts = { pending: 0, hasFailed: false };
  for (const status of statuses) {
    const container = pod.spec?.initContainers?.find((c) => c.name === status.name);
    if (container === undefined) continue;
    if (isSidecar(container)) {
      if (status.started !== true && !ended) counts.pending += 1;
      continue;
    }
    const end = lastEnd(status);
    if (end?.exitCode === 0) continue;
    counts.pending += 1;
    if (end !== undefined && !shouldRestart(pod, container, end.exitCode, 'init')) counts.hasFailed = true;
  }
  return counts;
}

function countApps(pod: Pod, statuses: readonly ContainerStatus[]) {
  const counts = { waiting: 0, running: 0, stopped: 0, succeeded: 0, willRestart: false };
  for (const status of statuses) {
    const container = pod.spec?.containers.find((c) => c.name === status.name);
    const end = lastEnd(status);
    if (status.state?.running) counts.running += 1;
    else if (end !== undefined) {
      counts.stopped += 1;
      if (end.exitCode === 0) counts.succeeded += 1;
      if (container !== undefined && shouldRestart(pod, container, end.exitCode, 'app'))
        counts.willRestart = true;
    } else counts.waiting += 1;
  }
  return counts;
}

/** Of one that does not run: also while it waits to be started again. */
const lastEnd = ({ state, lastState }: ContainerStatus): ContainerStateTerminated | undefined =>
  state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
