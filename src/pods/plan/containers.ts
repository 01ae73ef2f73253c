/** The containers that the pod is there for, and those that were added to look at it. */
import { hasEnded, hasRun, isRunning, latestInstance } from '../actual.ts';
import { shouldRestart } from '../restart.ts';
import type { PlanDraft, Subject } from './draft.ts';
import { killIfWrong } from './kill.ts';
import { start } from './start.ts';

/** The pod ends with the last of them that is to run. */
export function planContainers(draft: PlanDraft, podSandboxId: string): void {
  const { pod, actual } = draft.input;
  let kept = 0;
  for (const container of pod.spec?.containers ?? []) {
    const instance = latestInstance(actual, container.name, podSandboxId);
    const subject: Subject = { container, kind: 'app', instance, podSandboxId };
    if (isDone(draft, subject)) continue;
    kept += 1;
    if (instance !== undefined && isRunning(instance)) killIfWrong(draft, container, instance);
    else start(draft, subject);
  }
  if (kept === 0) draft.end();
}

/** For good, in this sandbox or in one that it replaced. */
function isDone({ input }: PlanDraft, { container, instance }: Subject): boolean {
  const last = instance ?? latestInstance(input.actual, container.name);
  if (last === undefined || !hasEnded(last)) return false;
  const isReplaced = instance !== undefined && input.replaced.has(instance.id);
  return !isReplaced && !shouldRestart(input.pod, container, last.exitCode, 'app');
}

/** Containers for debugging: started once, whatever else the pod does, and never again. */
export function planEphemeral(draft: PlanDraft, podSandboxId: string): void {
  const { pod, actual } = draft.input;
  for (const container of pod.spec?.ephemeralContainers ?? []) {
    if (actual.containers.some((c) => c.metadata.name === container.name && hasRun(c))) continue;
    start(draft, { container, kind: 'ephemeral', instance: undefined, podSandboxId });
  }
}
