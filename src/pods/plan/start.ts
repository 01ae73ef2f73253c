/** Starts one container that should run and does not: after its back off, and with what is to be written on it. */
import type { ContainerStatus } from '../../../runtime/runtime.ts';
import { hasRun, restartCountOf } from '../actual.ts';
import { backoffAfter, nextBackoff } from '../backoff.ts';
import { podName, podNamespace } from '../identity.ts';
import { resizeOf } from '../resize.ts';
import type { PlanDraft, Subject } from './draft.ts';
import { isChanged } from './kill.ts';

export function start(draft: PlanDraft, subject: Subject): void {
  const { container, instance, kind, podSandboxId } = subject;
  const { name } = container;
  const { actual, containerHash, restartCounts } = draft.input;
  if (instance?.state === 'CONTAINER_UNKNOWN') {
    const why = instance.message === '' ? '' : `: ${instance.message}`;
    draft.kill(instance, { reason: 'unknown', message: `Container ${name} is in an unknown state${why}` });
    return;
  }
  const created = createdBefore(draft, subject);
  const instances = actual.containers.filter((c) => c.metadata.name === name);
  // Instances that were made but never ran are no restart.
  for (const each of instances) {
    if (!hasRun(each) && each !== created) draft.add({ do: 'removeContainer', containerId: each.id });
  }
  const previous = instances.find(hasRun);
  const backoff = previous === undefined ? { isOver: true, nextMs: 0 } : backOff(draft, subject, previous);
  if (!backoff.isOver) return;
  const counted = restartCounts.get(name) ?? 0;
  draft.add({
    do: 'startContainer',
    name,
    kind,
    podSandboxId,
    ...(created === undefined ? {} : { containerId: created.id }),
    restartCount: previous === undefined ? counted : Math.max(restartCountOf(previous) + 1, counted),
    hash: containerHash(container),
    backoffMs: backoff.nextMs,
  });
}

/**
 * The instance that is still as wanted is started and not replaced: its start may be under way, begun by an earlier
 * life of the agent, and removing it would end what has just begun to run.
 */
function createdBefore({ input }: PlanDraft, { container, instance }: Subject): ContainerStatus | undefined {
  const isOfUse =
    instance?.state === 'CONTAINER_CREATED' &&
    !isChanged(input, container, instance) &&
    resizeOf(container, instance) === 'none';
  return isOfUse ? instance : undefined;
}

/** Whether the instance that follows `previous` may start, and the delay after that one's end. */
function backOff(
  draft: PlanDraft,
  { container, podSandboxId }: Subject,
  previous: ContainerStatus,
): { isOver: boolean; nextMs: number } {
  const { backoff, nowMs, pod } = draft.input;
  const changed = isChanged(draft.input, container, previous) || resizeOf(container, previous) === 'restart';
  const delayMs = changed || previous.podSandboxId !== podSandboxId ? 0 : backoffAfter(previous, backoff);
  // An end that lies in the future shows that the clock was set back: nobody knows how long ago it was.
  const untilMs = previous.finishedAtMs > nowMs ? nowMs : previous.finishedAtMs + delayMs;
  if (untilMs <= nowMs) return { isOver: true, nextMs: changed ? 0 : nextBackoff(previous, backoff) };
  const where = `pod=${podName(pod)}_${podNamespace(pod)}(${pod.metadata?.uid})`;
  draft.plan.waiting.set(container.name, {
    reason: 'CrashLoopBackOff',
    message: `back-off ${formatDelay(delayMs)} restarting failed container=${container.name} ${where}`,
  });
  draft.wakeAt(untilMs);
  return { isOver: false, nextMs: 0 };
}

/** Go's duration style, which users of kubectl know: 10s, 1m20s, 5m0s. */
function formatDelay(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return `${ms}ms`;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
