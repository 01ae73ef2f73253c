/** One pod in a line, as `kubectl get pods` sums it up: ready containers, the most telling reason, restarts. */
import type { ContainerStatus, Pod } from '../api/core.gen.ts';
import { isSidecar } from '../pods/identity.ts';

export interface PodSummary {
  ready: number;
  total: number;
  /** A phase or the reason why it is not simply running: CrashLoopBackOff, Init:1/2, Terminating, … */
  status: string;
  restarts: number;
  /** Of the last run that ended; undefined when none has. */
  lastRestartMs: number | undefined;
}

export function summarizePod(pod: Pod): PodSummary {
  const status = pod.status ?? {};
  const initContainers = pod.spec?.initContainers ?? [];
  const sidecars = new Set(initContainers.filter(isSidecar).map((container) => container.name));
  const initStatuses = status.initContainerStatuses ?? [];
  const statuses = status.containerStatuses ?? [];
  const sidecarStatuses = initStatuses.filter((each) => sidecars.has(each.name));

  const init = initProgress(initStatuses, sidecars, initContainers.length);
  const initialized =
    !init || status.conditions?.some((each) => each.type === 'Initialized' && each.status === 'True');
  const counted = initialized ? [...sidecarStatuses, ...statuses] : initStatuses;
  const readyMain = initialized ? statuses.filter((each) => each.ready && each.state?.running) : [];
  const readySidecars = sidecarStatuses.filter((each) => each.started && each.ready);
  return {
    ready: readyMain.length + readySidecars.length,
    total: (pod.spec?.containers.length ?? 0) + sidecars.size,
    status: statusText(pod, initialized ? mainReason(pod, statuses, readyMain.length > 0) : init),
    restarts: counted.reduce((sum, each) => sum + each.restartCount, 0),
    lastRestartMs: latest(counted),
  };
}

/** Why the first unfinished init container is not done; undefined when all are. */
function initProgress(
  statuses: ContainerStatus[],
  sidecars: ReadonlySet<string>,
  total: number,
): string | undefined {
  for (const [index, { name, state, started }] of statuses.entries()) {
    if (state?.terminated?.exitCode === 0) continue;
    if (sidecars.has(name) && started) continue;
    if (state?.terminated) return `Init:${endReason(state.terminated)}`;
    const waiting = state?.waiting?.reason;
    if (waiting && waiting !== 'PodInitializing') return `Init:${waiting}`;
    return `Init:${index}/${total}`;
  }
  return undefined;
}

function mainReason(pod: Pod, statuses: ContainerStatus[], someRun: boolean): string | undefined {
  const reasons = statuses.map(({ state }) => {
    if (state?.waiting?.reason) return state.waiting.reason;
    return state?.terminated ? endReason(state.terminated) : undefined;
  });
  const first = reasons.find((reason) => reason !== undefined);
  if (first !== 'Completed' || !someRun) return first;
  const isReady = pod.status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');
  return isReady ? 'Running' : 'NotReady';
}

function endReason({
  reason,
  signal,
  exitCode,
}: {
  reason?: string;
  signal?: number;
  exitCode: number;
}): string {
  if (reason) return reason;
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

function statusText(pod: Pod, reason: string | undefined): string {
  const { phase = 'Unknown', reason: podReason } = pod.status ?? {};
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  if (pod.metadata?.deletionTimestamp && !isOver) return 'Terminating';
  return reason ?? (podReason || phase);
}

function latest(statuses: ContainerStatus[]): number | undefined {
  const times = statuses.map((each) => Date.parse(each.lastState?.terminated?.finishedAt ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : undefined;
}
