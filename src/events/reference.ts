/** What an event is about, as the kubelet refers to it: a pod, or one container of it by its field path. */
import type { Container, Pod } from '../api/core.gen.ts';
import type { ObjectReference } from '../events.ts';
import { podReference } from '../pods/identity.ts';

export function containerReference(pod: Pod, container: Pick<Container, 'name'>): ObjectReference {
  const list = containerLists.find((name) => pod.spec?.[name]?.some((c) => c.name === container.name));
  return { ...podReference(pod), fieldPath: `spec.${list ?? 'containers'}{${container.name}}` };
}

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
