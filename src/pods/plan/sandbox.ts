/** A pod without a sandbox that is ready: one is made, unless everything that the pod should ever run has run. */
import type { Container } from '../../api/core.gen.ts';
import { isAlive, latestInstance } from '../actual.ts';
import { isSidecar } from '../identity.ts';
import { shouldRestart } from '../restart.ts';
import type { PlanDraft } from './draft.ts';

export function planSandbox(draft: PlanDraft): void {
  const { actual } = draft.input;
  if (actual.sandboxes.length > 0 && actual.containers.length > 0 && hasRunItsCourse(draft)) {
    draft.end();
    return;
  }
  // What the lost sandbox left behind must be gone first: its processes may hold ports and locks.
  const alive = actual.containers.filter(isAlive);
  for (const instance of alive) draft.kill(instance, { reason: 'pod', message: 'Pod sandbox changed' });
  if (alive.length === 0) makeSandbox(draft);
}

export function makeSandbox(draft: PlanDraft): void {
  const { actual, nowMs } = draft.input;
  const [newest] = actual.sandboxes;
  // A sandbox that dies as soon as it is made is not made again without end.
  if (newest !== undefined && newest.metadata.attempt >= quickSandboxes) {
    const untilMs = newest.createdAtMs + sandboxBackoffMs;
    if (newest.createdAtMs <= nowMs && nowMs < untilMs) {
      draft.wakeAt(untilMs);
      return;
    }
  }
  draft.add({
    do: 'createSandbox',
    attempt: newest === undefined ? 0 : newest.metadata.attempt + 1,
    replaces: actual.sandboxes.map((s) => s.id),
  });
}

/** How many sandboxes are made one right after the other, and how old one must be after that. */
const quickSandboxes = 3;
const sandboxBackoffMs = 10_000;

function hasRunItsCourse({ input: { pod, actual } }: PlanDraft): boolean {
  const apps = pod.spec?.containers ?? [];
  const lastOf = ({ name }: Container) => latestInstance(actual, name);
  const isFinished = (container: Container): boolean => {
    const last = lastOf(container);
    if (last === undefined) return false;
    if (isAlive(last)) return pod.spec?.restartPolicy === 'Never';
    return last.state === 'CONTAINER_EXITED' && !shouldRestart(pod, container, last.exitCode, 'app');
  };
  const hasFailed = (container: Container): boolean => {
    const last = lastOf(container);
    return (
      !isSidecar(container) &&
      last?.state === 'CONTAINER_EXITED' &&
      last.exitCode !== 0 &&
      !shouldRestart(pod, container, last.exitCode, 'init')
    );
  };
  const startedOnce = apps.some((container) => lastOf(container) !== undefined);
  return apps.every(isFinished) || (!startedOnce && (pod.spec?.initContainers ?? []).some(hasFailed));
}
