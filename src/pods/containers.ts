/** The containers of a pod, of all kinds. */
import type { Pod } from '../api/core.gen.ts';
import type { AnyContainer } from './identity.ts';

/** Init containers and sidecars first, ephemeral containers last. */
export function allContainers({ spec }: Pick<Pod, 'spec'>): AnyContainer[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers];
}

/** Names are unique among all of them. */
export const findContainer = (pod: Pod, name: string): AnyContainer | undefined =>
  allContainers(pod).find((container) => container.name === name);
