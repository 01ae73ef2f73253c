/** Why containers of a pod do not run yet, out of what failed, what is planned and what was told before. Pure. */
import type { ContainerStatus, PodStatus } from '../api/core.gen.ts';
import type { Plan, Waiting } from './actions.ts';

/** By container name ('' is the sandbox). `failed`: what could not be done so far. */
export function waitingNow(
  failed: ReadonlyMap<string, Waiting>,
  next: Pick<Plan, 'actions' | 'waiting'> | undefined,
  status: PodStatus | undefined,
): Map<string, Waiting> {
  const waiting = new Map(failed);
  for (const action of next?.actions ?? []) {
    if (action.do !== 'startContainer' || waiting.has(action.name)) continue;
    // What waited goes on waiting until it runs: it does not turn back into what it was before.
    const told = toldWaiting(statuses(status).find(({ name }) => name === action.name));
    if (told !== undefined) waiting.set(action.name, told);
  }
  for (const [name, why] of next?.waiting ?? []) waiting.set(name, why);
  return waiting;
}

/** What keeps a pod from becoming active until somebody does something about it. `failing`: what failed again. */
export function lastingProblem(
  failing: Waiting | undefined,
  status: PodStatus | undefined,
): Waiting | undefined {
  return (
    failing ??
    statuses({ ...status, ephemeralContainerStatuses: [] })
      .map(toldWaiting)
      .find((told) => told?.reason === 'CrashLoopBackOff')
  );
}

function toldWaiting(container: ContainerStatus | undefined): Waiting | undefined {
  const { reason, message = '' } = container?.state?.waiting ?? {};
  return reason === undefined ? undefined : { reason, message };
}

function statuses(status: PodStatus | undefined): ContainerStatus[] {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    ephemeralContainerStatuses = [],
  } = status ?? {};
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
}
