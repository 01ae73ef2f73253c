/** The columns that kubectl and our own CLI show of each resource, as the API server prints them. */
import type { ConfigMap, Event, Node, Pod, Secret } from '../api/core.gen.ts';
import { humanDuration } from './human-duration.ts';
import { summarizePod } from './pod-summary.ts';
import type { Namespace, ResourceName, ResourceTypes } from './resources.ts';

export interface Column<T> {
  name: string;
  type: 'string' | 'integer';
  /** Only in the wide output. */
  wide?: boolean;
  value(object: T, nowMs: number): string | number;
}

const none = '<none>';

const name = <T extends { metadata?: { name?: string } }>(): Column<T> => ({
  name: 'Name',
  type: 'string',
  value: (object) => object.metadata?.name ?? '',
});

const age = <T extends { metadata?: { creationTimestamp?: string } }>(): Column<T> => ({
  name: 'Age',
  type: 'string',
  value: (object, nowMs) => since(object.metadata?.creationTimestamp, nowMs),
});

const podColumns: Column<Pod>[] = [
  name(),
  {
    name: 'Ready',
    type: 'string',
    value: (pod) => {
      const { ready, total } = summarizePod(pod);
      return `${ready}/${total}`;
    },
  },
  { name: 'Status', type: 'string', value: (pod) => summarizePod(pod).status },
  {
    name: 'Restarts',
    type: 'string',
    value: (pod, nowMs) => {
      const { restarts, lastRestartMs } = summarizePod(pod);
      if (restarts === 0 || lastRestartMs === undefined) return String(restarts);
      return `${restarts} (${humanDuration(nowMs - lastRestartMs)} ago)`;
    },
  },
  age(),
  { name: 'IP', type: 'string', wide: true, value: (pod) => pod.status?.podIP || none },
  { name: 'Node', type: 'string', wide: true, value: (pod) => pod.spec?.nodeName || none },
  {
    name: 'Nominated Node',
    type: 'string',
    wide: true,
    value: (pod) => pod.status?.nominatedNodeName || none,
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    wide: true,
    value: (pod) => {
      const gates = pod.spec?.readinessGates ?? [];
      const isMet = (type: string) =>
        pod.status?.conditions?.some((each) => each.type === type && each.status === 'True');
      return gates.length === 0
        ? none
        : `${gates.filter((gate) => isMet(gate.conditionType)).length}/${gates.length}`;
    },
  },
];

const eventColumns: Column<Event>[] = [
  { name: 'Last Seen', type: 'string', value: (event, nowMs) => since(lastSeen(event), nowMs) },
  { name: 'Type', type: 'string', value: (event) => event.type ?? '' },
  { name: 'Reason', type: 'string', value: (event) => event.reason ?? '' },
  {
    name: 'Object',
    type: 'string',
    value: ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`,
  },
  { name: 'Subobject', type: 'string', wide: true, value: (event) => event.involvedObject.fieldPath ?? '' },
  {
    name: 'Source',
    type: 'string',
    wide: true,
    value: ({ source }) => [source?.component, source?.host].filter(Boolean).join(', '),
  },
  { name: 'Message', type: 'string', value: (event) => (event.message ?? '').trim() },
  {
    name: 'First Seen',
    type: 'string',
    wide: true,
    value: (event, nowMs) => since(event.firstTimestamp, nowMs),
  },
  { name: 'Count', type: 'integer', wide: true, value: (event) => event.count ?? 1 },
  { ...name<Event>(), wide: true },
];

const nodeColumns: Column<Node>[] = [
  name(),
  {
    name: 'Status',
    type: 'string',
    value: (node) => {
      const ready = node.status?.conditions?.find((each) => each.type === 'Ready')?.status;
      const text = ready === 'True' ? 'Ready' : ready === 'False' ? 'NotReady' : 'Unknown';
      return node.spec?.unschedulable ? `${text},SchedulingDisabled` : text;
    },
  },
  {
    name: 'Roles',
    type: 'string',
    value: (node) => {
      const prefix = 'node-role.kubernetes.io/';
      const labels = Object.keys(node.metadata?.labels ?? {}).filter((label) => label.startsWith(prefix));
      return labels.map((label) => label.slice(prefix.length)).join(',') || none;
    },
  },
  age(),
  { name: 'Version', type: 'string', value: (node) => node.status?.nodeInfo?.kubeletVersion ?? '' },
  { name: 'Internal-IP', type: 'string', wide: true, value: (node) => address(node, 'InternalIP') },
  { name: 'External-IP', type: 'string', wide: true, value: (node) => address(node, 'ExternalIP') },
  {
    name: 'OS-Image',
    type: 'string',
    wide: true,
    value: (node) => node.status?.nodeInfo?.osImage || '<unknown>',
  },
  {
    name: 'Kernel-Version',
    type: 'string',
    wide: true,
    value: (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>',
  },
  {
    name: 'Container-Runtime',
    type: 'string',
    wide: true,
    value: (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  },
];

const configMapColumns: Column<ConfigMap>[] = [
  name(),
  { name: 'Data', type: 'integer', value: (each) => size(each.data) + size(each.binaryData) },
  age(),
];

const secretColumns: Column<Secret>[] = [
  name(),
  { name: 'Type', type: 'string', value: (secret) => secret.type ?? 'Opaque' },
  { name: 'Data', type: 'integer', value: (secret) => size(secret.data) },
  age(),
];

const namespaceColumns: Column<Namespace>[] = [
  name(),
  { name: 'Status', type: 'string', value: (namespace) => namespace.status.phase },
  age(),
];

export const columns: { readonly [R in ResourceName]: readonly Column<ResourceTypes[R]>[] } = {
  pods: podColumns,
  events: eventColumns,
  nodes: nodeColumns,
  configmaps: configMapColumns,
  secrets: secretColumns,
  namespaces: namespaceColumns,
};

export const lastSeen = (event: Event): string | undefined =>
  event.series?.lastObservedTime ??
  event.lastTimestamp ??
  event.eventTime ??
  event.metadata.creationTimestamp;

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

const address = (node: Node, type: string): string =>
  node.status?.addresses?.find((each) => each.type === type)?.address || none;

function since(timestamp: string | undefined, nowMs: number): string {
  const ms = Date.parse(timestamp ?? '');
  return Number.isNaN(ms) ? '<unknown>' : humanDuration(nowMs - ms);
}
