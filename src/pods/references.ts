/** Which config maps and secrets a pod reads. */
import type { Pod, Volume } from '../api/core.gen.ts';
import type { ObjectRef } from '../sources/source.ts';
import { allContainers } from './containers.ts';
import { podNamespace } from './identity.ts';

export function uses(pod: Pod, ref: ObjectRef): boolean {
  if (podNamespace(pod) !== ref.namespace) return false;
  const names = ref.kind === 'ConfigMap' ? configMapNames(pod) : secretNames(pod);
  return names.includes(ref.name);
}

export function usedObjects(pod: Pod): ObjectRef[] {
  const namespace = podNamespace(pod);
  const refs = (kind: ObjectRef['kind'], names: (string | undefined)[]): ObjectRef[] =>
    [...new Set(names)].flatMap((name) => (name ? [{ kind, namespace, name }] : []));
  return [...refs('ConfigMap', configMapNames(pod)), ...refs('Secret', secretNames(pod))];
}

function configMapNames(pod: Pod): (string | undefined)[] {
  return [
    ...volumes(pod).flatMap((v) => [
      v.configMap?.name,
      ...(v.projected?.sources ?? []).map((s) => s.configMap?.name),
    ]),
    ...allContainers(pod).flatMap((c) => [
      ...(c.envFrom ?? []).map((e) => e.configMapRef?.name),
      ...(c.env ?? []).map((e) => e.valueFrom?.configMapKeyRef?.name),
    ]),
  ];
}

function secretNames(pod: Pod): (string | undefined)[] {
  return [
    ...volumes(pod).flatMap((v) => [
      v.secret?.secretName,
      ...(v.projected?.sources ?? []).map((s) => s.secret?.name),
    ]),
    ...allContainers(pod).flatMap((c) => [
      ...(c.envFrom ?? []).map((e) => e.secretRef?.name),
      ...(c.env ?? []).map((e) => e.valueFrom?.secretKeyRef?.name),
    ]),
    ...(pod.spec?.imagePullSecrets ?? []).map((s) => s.name),
  ];
}

const volumes = (pod: Pod): Volume[] => pod.spec?.volumes ?? [];
