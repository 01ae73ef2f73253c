/** A pod that is made ready to start and does not: its sandbox and its images are there, and no container. */
import type { Waiting } from '../actions.ts';
import { currentSandbox } from '../actual.ts';
import { podGraceSeconds } from '../grace.ts';
import type { PlanDraft } from './draft.ts';
import { makeSandbox } from './sandbox.ts';
import { stopContainers } from './stop.ts';

/** Not active: no container runs, and the next activation begins anew, with the init containers. */
export function planPrepare(draft: PlanDraft, why: Waiting): void {
  const { actual, pod } = draft.input;
  if (stopContainers(draft, { reason: 'deactivated', graceMs: podGraceSeconds(pod) * 1000 })) return;
  if (actual.containers.length > 0) {
    for (const { id } of actual.containers) draft.add({ do: 'removeContainer', containerId: id });
  } else if (currentSandbox(actual) === undefined) makeSandbox(draft);
  else prepareContainers(draft, why);
}

/** In a sandbox that is there and before any container. */
export function prepareContainers(draft: PlanDraft, why: Waiting): void {
  const { plan, input } = draft;
  for (const name of supervisedNames(draft)) {
    // Why an image cannot be had is more than that the pod waits.
    if (!input.pulled.has(name)) draft.add({ do: 'pullImage', name });
    else plan.waiting.set(name, why);
  }
  plan.prepared = plan.actions.length === 0;
}

/** Without those for debugging, which nobody has to wait for. */
export const supervisedNames = ({ input: { pod } }: PlanDraft): string[] =>
  [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((c) => c.name);
