/** metav1.Table: what `kubectl get` asks for, the server choosing the columns. */
import type { Column } from './columns.ts';
import { columns } from './columns.ts';
import type { ApiObject, ResourceName, ResourceTypes } from './resources.ts';

/** How much of each object goes with its row. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function tableOf<R extends ResourceName>(
  resource: R,
  objects: readonly ResourceTypes[R][],
  resourceVersion: string,
  include: IncludeObject,
  nowMs: number,
): object {
  const shown: readonly Column<ResourceTypes[R]>[] = columns[resource];
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion },
    columnDefinitions: shown.map(({ name, type, wide }) => ({
      name,
      type,
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: wide ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: shown.map((column) => column.value(object, nowMs)),
      object: rowObject(object, include),
    })),
  };
}

function rowObject(object: ApiObject, include: IncludeObject): object | undefined {
  switch (include) {
    case 'None':
      return undefined;
    case 'Object':
      return object;
    case 'Metadata':
      return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
  }
}
