/**
 * Which pod has to go when the node runs short of memory, disk or pids, decided as the kubelet does: thresholds with
 * grace and hysteresis, what can be reclaimed without a pod first, then one pod, the one that uses most beyond what it
 * asked for. Pure: the state is passed in and out; times are monotonic.
 */
import type { Pod } from '../api/core.gen.ts';
import { isCriticalPod } from '../pods/admission.ts';
import { formatBytes } from '../resources/amounts.ts';
import type { Pressure } from './conditions.ts';
import { type PodWithUsage, rankForEviction, usageMessage } from './eviction-rank.ts';
import type { Observation, Observations } from './machine-stats.ts';
import {
  type EvictionSignal,
  evictionSignals,
  type Threshold,
  thresholdAmount,
  valueAmount,
} from './thresholds.ts';

export interface EvictionInput {
  observations: Observations;
  thresholds: readonly Threshold[];
  /** Running pods, with what they use. */
  pods: readonly PodWithUsage[];
  /** Whether images are on another file system than the node's. */
  dedicatedImageFs: boolean;
  nowMs: number;
  /** How long a pressure stays told after the last time it was seen. */
  transitionPeriodMs: number;
  /** Most grace that a soft threshold leaves a pod. */
  maxPodGracePeriodSeconds: number;
  /** Signals for which everything but pods was already reclaimed in this round. */
  reclaimed: ReadonlySet<EvictionSignal>;
}

export interface EvictionState {
  /** Thresholds met and since when, by `thresholdKey`. */
  metSinceMs: ReadonlyMap<string, number>;
  pressureSeenMs: ReadonlyMap<Pressure, number>;
}

export const noEvictionState: EvictionState = { metSinceMs: new Map(), pressureSeenMs: new Map() };

export interface Eviction {
  pod: Pod;
  /** Of what the node has too little; undefined: the pod took more than its own limits allow. */
  signal?: EvictionSignal;
  /** Which of its own limits it exceeds. */
  limit?: StorageLimit;
  /** For the pod's status and event. */
  message: string;
  gracePeriodSeconds: number;
}

/** As the kubelet's metrics call them. */
export type StorageLimit = 'emptydirfs.limit' | 'ephemeralpodfs.limit' | 'ephemeralcontainerfs.limit';

export interface EvictionDecision {
  state: EvictionState;
  pressures: ReadonlySet<Pressure>;
  action:
    | { do: 'nothing' }
    /** Collect images and dead containers, then decide again with the signal in `reclaimed`. */
    | { do: 'reclaim'; signal: EvictionSignal }
    | ({ do: 'evict'; signal: EvictionSignal } & Eviction)
    /** Pressure, and no pod that may be evicted. */
    | { do: 'helpless'; signal: EvictionSignal };
}

export function evictionDecision(input: EvictionInput, last: EvictionState): EvictionDecision {
  const { thresholds, nowMs } = input;
  const met = thresholds.filter((threshold) => isMet(threshold, input.observations, last));
  const metSinceMs = new Map(
    met.map((threshold) => [thresholdKey(threshold), last.metSinceMs.get(thresholdKey(threshold)) ?? nowMs]),
  );
  const pressureSeenMs = new Map(last.pressureSeenMs);
  for (const { signal } of met) pressureSeenMs.set(pressureOf[signal], nowMs);
  for (const [pressure, seenMs] of pressureSeenMs) {
    if (nowMs - seenMs > input.transitionPeriodMs) pressureSeenMs.delete(pressure);
  }
  const urgent = met
    .filter((threshold) => nowMs - (metSinceMs.get(thresholdKey(threshold)) ?? nowMs) >= threshold.graceMs)
    .sort(
      (a, b) =>
        evictionSignals.indexOf(a.signal) - evictionSignals.indexOf(b.signal) || a.graceMs - b.graceMs,
    )[0];
  return {
    state: { metSinceMs, pressureSeenMs },
    pressures: new Set(pressureSeenMs.keys()),
    action: urgent === undefined ? { do: 'nothing' } : actionFor(urgent, input),
  };
}

/** A threshold once met is met until what `minReclaim` asks for is there, too. */
function isMet(threshold: Threshold, observations: Observations, last: EvictionState): boolean {
  const observed = observations.get(threshold.signal);
  if (observed === undefined) return false;
  const wasMet = last.metSinceMs.has(thresholdKey(threshold));
  const margin = wasMet ? valueAmount(threshold.minReclaim, observed.capacity) : 0;
  return observed.available < thresholdAmount(threshold, observed.capacity) + margin;
}

/** What a pod may have to be evicted for can be cured by image collection where disk is short. */
function actionFor(threshold: Threshold, input: EvictionInput): EvictionDecision['action'] {
  const { signal, graceMs } = threshold;
  if (isDisk(signal) && !input.reclaimed.has(signal)) return { do: 'reclaim', signal };
  const candidates = input.pods.filter(({ pod }) => !isCriticalPod(pod));
  const victim = rankForEviction(candidates, signal, input.dedicatedImageFs)[0];
  if (victim === undefined) return { do: 'helpless', signal };
  const { terminationGracePeriodSeconds = 30 } = victim.pod.spec ?? {};
  return {
    do: 'evict',
    signal,
    pod: victim.pod,
    message: message(threshold, input.observations.get(signal), victim),
    gracePeriodSeconds:
      graceMs === 0
        ? hardEvictionGraceSeconds
        : Math.min(terminationGracePeriodSeconds, input.maxPodGracePeriodSeconds),
  };
}

function message(threshold: Threshold, observed: Observation | undefined, victim: PodWithUsage): string {
  const { signal } = threshold;
  const low = `The node was low on resource: ${resourceOf[signal]}. `;
  if (observed === undefined) return low;
  const format = signal === 'pid.available' || signal.endsWith('inodesFree') ? String : formatBytes;
  const quantity = format(thresholdAmount(threshold, observed.capacity));
  return `${low}Threshold quantity: ${quantity}, available: ${format(observed.available)}. ${usageMessage(victim, signal)}`;
}

/** Long enough to tell a forced deletion from an eviction, too short to make the shortage worse. */
export const hardEvictionGraceSeconds = 1;

const isDisk = (signal: EvictionSignal): boolean =>
  signal.startsWith('nodefs.') || signal.startsWith('imagefs.');

const thresholdKey = ({ signal, graceMs }: Threshold): string => `${signal}/${graceMs}`;

const pressureOf: Readonly<Record<EvictionSignal, Pressure>> = {
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
};

const resourceOf: Readonly<Record<EvictionSignal, string>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};
