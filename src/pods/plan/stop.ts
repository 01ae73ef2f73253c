/** The way down: containers first, then sidecars last to first, then the sandboxes. */
import type { KillReason } from '../actions.ts';
import { isAlive } from '../actual.ts';
import { isSidecar } from '../identity.ts';
import type { PlanDraft } from './draft.ts';

export interface StopHow {
  reason: KillReason;
  graceMs: number;
}

export function planStop(draft: PlanDraft, how: StopHow): void {
  if (stopContainers(draft, how)) return;
  for (const { id, state } of draft.input.actual.sandboxes) {
    if (state === 'SANDBOX_READY') draft.add({ do: 'stopSandbox', podSandboxId: id });
  }
  draft.plan.stopped = draft.plan.actions.length === 0;
}

/** Returns whether anything is alive. */
export function stopContainers(draft: PlanDraft, { reason, graceMs }: StopHow): boolean {
  const { actual, pod } = draft.input;
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const alive = actual.containers.filter(isAlive);
  const first = alive.filter((c) => !sidecars.includes(c.metadata.name));
  const lastSidecar = sidecars.findLast((name) => alive.some((c) => c.metadata.name === name));
  const next = first.length > 0 ? first : alive.filter((c) => c.metadata.name === lastSidecar);
  for (const instance of next) {
    const message = `Stopping container ${instance.metadata.name}`;
    draft.kill(instance, { reason, message, graceMs });
  }
  return alive.length > 0;
}
