/** The one user that all containers of a pod run as: who tokens can belong to. Undefined where there is none. */
import type { Pod } from '../api/core.gen.ts';

export function fsUser({ spec }: Pod): number | undefined {
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  const users = new Set(
    containers.map(({ securityContext }) => securityContext?.runAsUser ?? spec?.securityContext?.runAsUser),
  );
  const [only] = users;
  return users.size === 1 ? only : undefined;
}
