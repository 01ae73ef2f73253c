/** The resources of core/v1 that the embedded API serves, one table that discovery, routing and kubectl's names share. */
import type { ConfigMap, Event, Node, ObjectMeta, Pod, Secret } from '../api/core.gen.ts';

export interface Namespace {
  kind: 'Namespace';
  apiVersion: 'v1';
  metadata: ObjectMeta;
  spec: { finalizers: string[] };
  status: { phase: 'Active' };
}

/** What each resource holds. */
export interface ResourceTypes {
  pods: Pod;
  configmaps: ConfigMap;
  secrets: Secret;
  events: Event;
  nodes: Node;
  namespaces: Namespace;
}

export type ResourceName = keyof ResourceTypes;
export type ApiObject = ResourceTypes[ResourceName];
/** The resources that a client may write. */
export type WritableName = 'pods' | 'configmaps' | 'secrets';

export interface ResourceInfo {
  kind: string;
  singular: string;
  namespaced: boolean;
  shortNames?: string[];
  categories?: string[];
  verbs: string[];
}

const read = ['get', 'list', 'watch'];
const readWrite = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

export const resources: Readonly<Record<ResourceName, ResourceInfo>> = {
  configmaps: {
    kind: 'ConfigMap',
    singular: 'configmap',
    namespaced: true,
    shortNames: ['cm'],
    verbs: readWrite,
  },
  events: { kind: 'Event', singular: 'event', namespaced: true, shortNames: ['ev'], verbs: read },
  namespaces: {
    kind: 'Namespace',
    singular: 'namespace',
    namespaced: false,
    shortNames: ['ns'],
    verbs: ['get', 'list'],
  },
  nodes: { kind: 'Node', singular: 'node', namespaced: false, shortNames: ['no'], verbs: read },
  pods: {
    kind: 'Pod',
    singular: 'pod',
    namespaced: true,
    shortNames: ['po'],
    categories: ['all'],
    verbs: readWrite,
  },
  secrets: { kind: 'Secret', singular: 'secret', namespaced: true, verbs: readWrite },
};

/** Subresources of pods, with the verbs that `kubectl api-resources` shows. */
export const podSubresources: Readonly<Record<string, { kind: string; verbs: string[] }>> = {
  attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
  exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
  log: { kind: 'Pod', verbs: ['get'] },
  portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  resize: { kind: 'Pod', verbs: ['get', 'patch', 'update'] },
  status: { kind: 'Pod', verbs: ['get'] },
};

export const isResourceName = (name: string): name is ResourceName => Object.hasOwn(resources, name);

export const isWritable = (name: ResourceName): name is WritableName =>
  name === 'pods' || name === 'configmaps' || name === 'secrets';

/** `namespace/name`, or the name alone of what has no namespace. */
export function objectKey(object: ApiObject): string {
  const { namespace, name } = object.metadata ?? {};
  return keyOf(namespace ?? '', name ?? '');
}

export const keyOf = (namespace: string, name: string): string => (namespace ? `${namespace}/${name}` : name);
