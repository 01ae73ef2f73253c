/** Objects of other API groups, as much of them as a node reads and writes. */
import type { ObjectMeta } from '../api/core.gen.ts';

/** coordination.k8s.io/v1 */
export interface Lease {
  apiVersion: 'coordination.k8s.io/v1';
  kind: 'Lease';
  metadata: ObjectMeta;
  spec: { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string };
}

/** authentication.k8s.io/v1 */
export interface TokenRequest {
  apiVersion: 'authentication.k8s.io/v1';
  kind: 'TokenRequest';
  spec: {
    audiences: string[];
    /** In an answer: as it was granted. */
    expirationSeconds?: number;
    boundObjectRef?: { apiVersion: string; kind: string; name: string; uid: string };
  };
  status?: { token: string; expirationTimestamp: string };
}

export interface PersistentVolumeClaim {
  metadata?: ObjectMeta;
  spec?: { volumeName?: string; volumeMode?: string };
  status?: { phase?: string };
}

/** With the fields of every other kind of source. */
export interface PersistentVolume {
  metadata?: ObjectMeta;
  spec?: { claimRef?: { uid?: string }; local?: { path: string }; hostPath?: { path: string } } & Record<
    string,
    unknown
  >;
}

/** node.k8s.io/v1 */
export interface RuntimeClass {
  metadata?: ObjectMeta;
  handler: string;
}

export interface Service {
  metadata?: ObjectMeta;
  spec?: { clusterIP?: string; ports?: ServicePort[] };
}

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
}
