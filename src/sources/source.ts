/**
 * What pods and objects are desired, as every source of them reports it. A source always reports its whole current
 * set (level-triggered); `DesiredState` merges them.
 */
import type { ConfigMap, Pod, Secret } from '../api/core.gen.ts';

/** `file`: static pods of the manifest directory. `api`: created over the Kubernetes API. */
export type SourceName = 'file' | 'api';

export interface SourceSnapshot {
  /** Decoded, defaulted and validated. Every pod has a uid. */
  pods: Pod[];
  configMaps: ConfigMap[];
  secrets: Secret[];
}

export interface ObjectRef {
  kind: 'ConfigMap' | 'Secret';
  namespace: string;
  name: string;
}

/** Config maps and secrets as pods see them. Asynchronous because a cluster may have to be asked. */
export interface ObjectReader {
  configMap(namespace: string, name: string, signal?: AbortSignal): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string, signal?: AbortSignal): Promise<Secret | undefined>;
  /** Returns the function that ends the subscription. */
  onObjectChange(listener: (ref: ObjectRef) => void): () => void;
}

/** Annotations that say where a pod came from, as the kubelet sets them. */
export const configSourceAnnotation = 'kubernetes.io/config.source';
export const configHashAnnotation = 'kubernetes.io/config.hash';
export const configSeenAnnotation = 'kubernetes.io/config.seen';
/** Ours: the manifest that a static pod was read from. */
export const manifestFileAnnotation = 'roslet.dev/manifest-file';
export const configMirrorAnnotation = 'kubernetes.io/config.mirror';

export const isStaticPod = (pod: Pod): boolean =>
  pod.metadata?.annotations?.[configSourceAnnotation] === 'file';
