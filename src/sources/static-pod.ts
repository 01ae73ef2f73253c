/**
 * The identity that the kubelet gives a pod of a manifest file: a uid made from its content, node and file, the
 * node's name behind its own, and the annotations that say where it came from.
 */

import { createHash } from 'node:crypto';
import type { Pod, Toleration } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import {
  configHashAnnotation,
  configSeenAnnotation,
  configSourceAnnotation,
  manifestFileAnnotation,
} from './source.ts';

export interface StaticPodOrigin {
  /** Absolute path of the manifest. */
  file: string;
  nodeName: string;
  /** When a pod of a uid was first seen in this run of the agent. */
  seenAtMs: (uid: string) => number;
}

/** `pod` as decoded. A new default of a new roslet then changes no uid, and so restarts no pod. */
export function staticPod(pod: Pod, { file, nodeName, seenAtMs }: StaticPodOrigin): Pod {
  const hash = staticPodHash(pod, file, nodeName);
  const { metadata, spec } = pod;
  const uid = metadata?.uid || hash;
  const seenAt = new Date(seenAtMs(uid));
  return {
    ...pod,
    metadata: {
      ...metadata,
      name: staticPodName(metadata?.name ?? '', nodeName),
      namespace: metadata?.namespace || 'default',
      uid,
      creationTimestamp: time(seenAt.getTime()),
      annotations: {
        ...metadata?.annotations,
        [configSourceAnnotation]: 'file',
        [configHashAnnotation]: hash,
        [configSeenAnnotation]: seenAt.toISOString(),
        [manifestFileAnnotation]: file,
      },
    },
    ...(spec === undefined
      ? {}
      : { spec: { ...spec, nodeName, tolerations: tolerateNoExecute(spec.tolerations ?? []) } }),
    status: { phase: 'Pending' },
  };
}

export const staticPodName = (name: string, nodeName: string): string => `${name}-${nodeName.toLowerCase()}`;

/** 32 hex digits. Order of keys, comments and formatting of the file do not matter. */
function staticPodHash({ status: _, ...desired }: Pod, file: string, nodeName: string): string {
  const hasher = createHash('sha256').update(canonicalJson(desired));
  return hasher.update(`\0host:${nodeName}\0file:${file}`).digest('hex').slice(0, 32);
}

/** The node's troubles do not evict what the node itself was told to run. */
function tolerateNoExecute(tolerations: Toleration[]): Toleration[] {
  const toleratesAll = tolerations.some(
    ({ effect, key, operator, tolerationSeconds }) =>
      operator === 'Exists' && !key && (!effect || effect === 'NoExecute') && tolerationSeconds === undefined,
  );
  return toleratesAll ? tolerations : [...tolerations, { operator: 'Exists', effect: 'NoExecute' }];
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}
