/** Which containers get other limits while they run, and when the pod's own cgroup gets them. */
import { isRunning, latestInstance } from '../actual.ts';
import { resizableContainers, resizeOf } from '../resize.ts';
import type { PlanDraft } from './draft.ts';

export function planResize(draft: PlanDraft, podSandboxId: string): void {
  const { pod, actual, resizing } = draft.input;
  const killed = new Set(
    draft.plan.actions.flatMap((a) => (a.do === 'killContainer' ? [a.containerId] : [])),
  );
  const needing = (what: 'update' | 'restart') =>
    resizableContainers(pod).flatMap((container) => {
      const instance = latestInstance(actual, container.name, podSandboxId);
      if (instance === undefined || !isRunning(instance) || killed.has(instance.id)) return [];
      return resizeOf(container, instance) === what ? [container.name] : [];
    });
  const names = needing('update');
  // What has to be started anew gets its share of the pod's cgroup when it starts, and is perhaps not killed yet.
  const canEnd = resizing && killed.size === 0 && needing('restart').length === 0;
  if (names.length > 0 || canEnd) draft.add({ do: 'resize', names });
}
