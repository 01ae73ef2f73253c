/** Which changes of a pod the Kubernetes API accepts (core validation of pod updates): few, a pod is not reshaped. */
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod, PodSpec, StatusCause, Toleration } from '../api/core.gen.ts';

export const isTerminal = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export function podUpdateErrors(old: Pod, wanted: Pod): StatusCause[] {
  const before = old.spec;
  const after = wanted.spec;
  if (!before || !after) {
    return after ? [] : [{ field: 'spec', message: 'Required value', reason: 'FieldValueRequired' }];
  }
  const causes: StatusCause[] = [];
  const was = before.activeDeadlineSeconds;
  const is = after.activeDeadlineSeconds;
  if (was !== undefined && (is === undefined || is > was)) {
    const message = 'Invalid value: must be less than or equal to previous value';
    causes.push({ field: 'spec.activeDeadlineSeconds', message, reason: 'FieldValueInvalid' });
  }
  if (!tolerationsOnlyAdded(before.tolerations ?? [], after.tolerations ?? [])) {
    const message = 'Forbidden: existing toleration can not be modified except its tolerationSeconds';
    causes.push({ field: 'spec.tolerations', message, reason: 'FieldValueForbidden' });
  }
  if (!isDeepStrictEqual(withMutableOf(after, before), before)) {
    causes.push({
      field: 'spec',
      message:
        'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
        '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations): delete the pod and create it anew',
      reason: 'FieldValueForbidden',
    });
  }
  return causes;
}

/** `spec` with all that may differ taken from `from`. */
function withMutableOf(spec: PodSpec, from: PodSpec): PodSpec {
  const result: PodSpec = { ...spec, containers: withImages(spec.containers, from.containers) ?? [] };
  copyField(result, from, 'activeDeadlineSeconds');
  copyField(result, from, 'tolerations');
  const initContainers = withImages(spec.initContainers, from.initContainers);
  if (initContainers) result.initContainers = initContainers;
  return result;
}

function copyField<K extends keyof PodSpec>(to: PodSpec, from: PodSpec, field: K): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

function withImages(containers?: Container[], from?: Container[]): Container[] | undefined {
  return containers?.map((container, index) => {
    const image = from?.[index]?.image;
    return image && container.image ? { ...container, image } : container;
  });
}

function tolerationsOnlyAdded(before: Toleration[], after: Toleration[]): boolean {
  const key = ({ tolerationSeconds: _, ...rest }: Toleration): string =>
    JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
  const wanted = new Set(after.map(key));
  return before.every((toleration) => wanted.has(key(toleration)));
}
