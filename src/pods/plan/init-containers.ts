/** Init containers, one after the other, and the sidecars among them, which go on beside what comes after them. */
import type { Container } from '../../api/core.gen.ts';
import type { ProbeResults } from '../../probes/results.ts';
import { hasEnded, hasRun, isRunning, latestInstance } from '../actual.ts';
import { isSidecar } from '../identity.ts';
import { shouldRestart } from '../restart.ts';
import type { PlanDraft, Subject } from './draft.ts';
import { killIfChanged, killIfWrong } from './kill.ts';
import { start } from './start.ts';

/** Returns whether the containers may start. */
export function planInitContainers(draft: PlanDraft, podSandboxId: string): boolean {
  const { pod, actual } = draft.input;
  const inits = pod.spec?.initContainers ?? [];
  const instanceOf = ({ name }: Container) => latestInstance(actual, name, podSandboxId);
  const appsStarted = (pod.spec?.containers ?? []).some((c) => {
    const instance = instanceOf(c);
    return instance !== undefined && hasRun(instance);
  });
  // The record of an init container that succeeded may have been removed: a later one proves that it had run.
  const reached = inits.findLastIndex((c) => instanceOf(c) !== undefined);
  for (const [index, container] of inits.entries()) {
    const instance = instanceOf(container);
    const subject = { container, instance, podSandboxId };
    if (isSidecar(container)) {
      const ready = planSidecar(draft, { ...subject, kind: 'sidecar' });
      if (!ready && !appsStarted) return false;
      continue;
    }
    if (appsStarted || (instance === undefined && index < reached)) continue;
    if (instance !== undefined && hasEnded(instance) && !draft.input.replaced.has(instance.id)) {
      if (instance.exitCode === 0) continue;
      if (!shouldRestart(pod, container, instance.exitCode, 'init')) {
        draft.end();
        return false;
      }
    }
    if (instance !== undefined && isRunning(instance)) killIfChanged(draft, container, instance);
    else start(draft, { ...subject, kind: 'init' });
    return false;
  }
  return true;
}

/** Returns whether what comes after the sidecar may start. */
function planSidecar(draft: PlanDraft, subject: Subject): boolean {
  const { container, instance } = subject;
  if (instance === undefined || !isRunning(instance)) {
    start(draft, subject);
    return false;
  }
  return !killIfWrong(draft, container, instance) && isStarted(draft.input.probes, instance.id);
}

function isStarted(probes: ProbeResults, containerId: string): boolean {
  const startup = probes.get(containerId, 'startup');
  return startup === undefined || startup === 'success';
}
