/**
 * What pods and objects are desired, as every source of them reports it. A source always reports its whole current
 * set (level-triggered); `DesiredState` merges them.
 */
import type { ConfigMap, Pod, Secret, ServiceAccountTokenProjection } from '../api/core.gen.ts';

/** `file`: static pods of the manifest directory. `api`: created over our own API. `cluster`: bound to this node. */
export type SourceName = 'file' | 'api' | 'cluster';

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

/** What only a cluster can give a pod. */
export interface ClusterPort {
  /** A token of the pod's service account. */
  token(pod: Pod, wanted: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string>;
  /**
   * Where on this node the volume of a claim is.
   * @throws Error that says what is wrong with it
   */
  claimSource(
    pod: Pod,
    claim: { claimName: string; ofPod: boolean },
    signal: AbortSignal,
  ): Promise<ClaimSource>;
  /** The variables by which the pod's containers find services. */
  serviceEnv(pod: Pod): Promise<ReadonlyMap<string, string>>;
}

export interface ClaimSource {
  /** A directory of this node. */
  path: string;
  /** Whose group may be changed: a `hostPath` volume stays as the host has it. */
  kind: 'local' | 'hostPath';
}

/** Annotations that say where a pod came from, as the kubelet sets them. */
export const configSourceAnnotation = 'kubernetes.io/config.source';
export const configHashAnnotation = 'kubernetes.io/config.hash';
export const configSeenAnnotation = 'kubernetes.io/config.seen';
/** Ours: the manifest that a static pod was read from. */
export const manifestFileAnnotation = 'roslet.dev/manifest-file';
export const configMirrorAnnotation = 'kubernetes.io/config.mirror';

/** Bound to this node by a cluster: its object is there, not here. */
export const isClusterPod = (pod: Pod): boolean =>
  pod.metadata?.annotations?.[configSourceAnnotation] === 'api';

export const isStaticPod = (pod: Pod): boolean =>
  pod.metadata?.annotations?.[configSourceAnnotation] === 'file';
