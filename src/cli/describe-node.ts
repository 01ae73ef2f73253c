/** The node in words: its conditions, what it has, what is asked of it. */
import type { Node, Pod } from '../api/core.gen.ts';
import { summarizePod } from '../apiserver/pod-summary.ts';
import { formatOutline, mapLines } from './outline.ts';

export function describeNode(node: Node, pods: readonly Pod[]): string {
  const { metadata = {}, spec = {}, status = {} } = node;
  const info = status.nodeInfo;
  return formatOutline([
    ['Name', metadata.name],
    ['Labels', mapLines(metadata.labels, '=')],
    ['Annotations', mapLines(metadata.annotations, ': ')],
    [
      'Taints',
      (spec.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`),
    ],
    [
      'Conditions',
      {
        section: (status.conditions ?? []).map(({ type, status: value, reason, message }) => [
          type,
          `${value} (${[reason, message].filter(Boolean).join(': ')})`,
        ]),
      },
    ],
    ['Addresses', { section: (status.addresses ?? []).map(({ type, address }) => [type, address]) }],
    ['Capacity', { section: Object.entries(status.capacity ?? {}) }],
    ['Allocatable', { section: Object.entries(status.allocatable ?? {}) }],
    [
      'System',
      {
        section: [
          ['Agent', info?.kubeletVersion],
          ['Runtime', info?.containerRuntimeVersion],
          ['Kernel', info?.kernelVersion],
          ['OS', info?.osImage],
          ['Architecture', info?.architecture],
          ['Machine ID', info?.machineID],
          ['Boot ID', info?.bootID],
        ],
      },
    ],
    [
      'Pods',
      {
        section: pods.map((pod) => [
          `${pod.metadata?.namespace}/${pod.metadata?.name}`,
          summarizePod(pod).status,
        ]),
      },
    ],
  ]).join('\n');
}
