/** Which running containers are killed: those whose spec changed or is gone, and those whose probes failed. */
import type { ContainerStatus } from '../../../runtime/runtime.ts';
import type { Container } from '../../api/core.gen.ts';
import { isAlive } from '../actual.ts';
import { allContainers } from '../containers.ts';
import { probeGraceSeconds } from '../grace.ts';
import { containerHashAnnotation } from '../identity.ts';
import { resizeOf } from '../resize.ts';
import type { PlanDraft } from './draft.ts';
import type { PlanInput } from './input.ts';

/** What runs although the pod has no such container any more. */
export function killStrays(draft: PlanDraft): void {
  const { pod, actual } = draft.input;
  const names = new Set(allContainers(pod).map(({ name }) => name));
  for (const instance of actual.containers) {
    const { name } = instance.metadata;
    if (!isAlive(instance) || names.has(name)) continue;
    draft.kill(instance, { reason: 'changed', message: `Container ${name} is no longer part of the pod` });
  }
}

/** Returns whether the container is killed to be started anew. */
export const killIfWrong = (draft: PlanDraft, container: Container, instance: ContainerStatus): boolean =>
  killIfChanged(draft, container, instance) || killIfUnhealthy(draft, container, instance);

/** Returns whether it has another spec than it was made with, or resources that it can only be started with. */
export function killIfChanged(draft: PlanDraft, container: Container, instance: ContainerStatus): boolean {
  const isOther = isChanged(draft.input, container, instance);
  if (!isOther && resizeOf(container, instance) !== 'restart') return false;
  const why = isOther ? 'definition changed, will be restarted' : 'resize requires restart';
  draft.kill(instance, { reason: 'changed', message: `Container ${container.name} ${why}` });
  return true;
}

export function isChanged(
  { containerHash }: Pick<PlanInput, 'containerHash'>,
  container: Container,
  instance: ContainerStatus,
): boolean {
  const written = instance.annotations[containerHashAnnotation];
  return written !== undefined && written !== containerHash(container);
}

function killIfUnhealthy(draft: PlanDraft, container: Container, instance: ContainerStatus): boolean {
  const { pod, probes } = draft.input;
  const failed = (['startup', 'liveness'] as const).find(
    (kind) => probes.get(instance.id, kind) === 'failure',
  );
  if (failed === undefined) return false;
  draft.kill(instance, {
    reason: failed,
    message: `Container ${container.name} failed ${failed} probe, will be restarted`,
    graceMs: probeGraceSeconds(pod, container, failed) * 1000,
  });
  return true;
}
