/** The one user that all containers of a pod run as: who tokens can belong to. Undefined where there is none. */
import type { Pod } from '../api/core.gen.ts';
import { allContainers } from '../pods/containers.ts';

export function fsUser(pod: Pod): number | undefined {
  const ofAll = pod.spec?.securityContext?.runAsUser;
  const users = new Set(allContainers(pod).map(({ securityContext }) => securityContext?.runAsUser ?? ofAll));
  const [only] = users;
  return users.size === 1 ? only : undefined;
}
