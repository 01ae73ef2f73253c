/** Namespaces need not be made on a robot: each name is one, and those that something lives in are listed. */

import type { ObjectStore } from './object-store.ts';
import type { Namespace } from './resources.ts';

const always = ['default', 'kube-system'];

export function listNamespaces({ cache }: ObjectStore): Namespace[] {
  const used = (['pods', 'configmaps', 'secrets'] as const)
    .flatMap((resource) => cache.list<'pods' | 'configmaps' | 'secrets'>(resource))
    .map((object) => object.metadata?.namespace ?? 'default');
  return [...new Set([...always, ...used])].sort().map(getNamespace);
}

export const getNamespace = (name: string): Namespace => ({
  kind: 'Namespace',
  apiVersion: 'v1',
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
});
