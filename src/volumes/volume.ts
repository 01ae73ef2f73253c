/**
 * The port that every kind of volume implements. A plugin keeps nothing in memory: what it needs to know later it
 * finds on disk, so that an agent that was killed goes on where it stopped.
 */
import type { Pod, Volume } from '../api/core.gen.ts';
import type { ResourceAmounts } from '../resources/amounts.ts';

/**
 * Whether the content counts as the pod's ephemeral storage, as in the kubelet: it is on the node's disk and goes with
 * the pod. What a claim holds is the user's own, what is the host's or in memory is counted elsewhere.
 */
export const isEphemeral = ({ emptyDir, configMap, secret, downwardAPI, projected }: Volume): boolean =>
  emptyDir === undefined
    ? [configMap, secret, downwardAPI, projected].some((source) => source !== undefined)
    : (emptyDir.medium ?? '') === '';

export interface VolumeContext {
  pod: Pod;
  /** Of the node: stands in for limits that are not set. */
  allocatable: ResourceAmounts;
  /** Of the pod and the plugin, for notes about the volume; not seen by containers. */
  metaDir: string;
}

export interface VolumePlugin {
  /** The directory of volumes of this kind, as the kubelet names it. */
  readonly dirName: string;
  /** Containers can never write it, whatever their mounts say. */
  readonly readOnly: boolean;
  /** Made by us for the pod, and removed with it. */
  readonly managed: boolean;
  /** Brings the volume about, or completes what was begun. Does nothing when it is there. */
  setUp(context: VolumeContext, volume: Volume, dir: string, signal: AbortSignal): Promise<void>;
  /** Renders content anew. Returns whether it changed. */
  refresh?(context: VolumeContext, volume: Volume, dir: string, signal: AbortSignal): Promise<boolean>;
  /** Where the volume is found on the host. Default: its directory. */
  hostPath?(volume: Volume): string;
}

/** A config map or secret is not there, or lacks a key. Not: it could not be asked for. */
export class MissingObjectError extends Error {
  override readonly name = 'MissingObjectError';
}

/** A pod's volume cannot be had; `message` is meant for a FailedMount event. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly reason = 'FailedMount';
  readonly volume: string;
  /** All that is missing are objects that are watched: whoever waits for them is told when they are there. */
  readonly isTold: boolean;
  constructor(volume: string, message: string, options?: ErrorOptions & { isTold: boolean }) {
    super(message, options);
    this.volume = volume;
    this.isTold = options?.isTold ?? false;
  }
}
