/**
 * Makes room for critical pods that do not fit: ends others for them, and shows meanwhile what they wait for. Those get
 * their own grace, as the kubelet's preemption gives it; how long is waited for them after it, is in RecordKeeper.
 */
import type { Pod } from '../api/core.gen.ts';
import { formatCondition } from '../api/start-order.ts';
import type { EventRecorder } from '../events.ts';
import type { Logger } from '../log.ts';
import { preemptionSignal } from '../metrics/admission.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type Admission, admit, isCriticalPod, type NodeAdmissionContext } from './admission.ts';
import { podKey, podName, podNamespace, podReference, podUid, withStatus } from './identity.ts';
import { preemptedFor } from './preemption.ts';
import type { PodWorker } from './worker.ts';

export interface MakingRoomOptions {
  events: EventRecorder;
  metrics: Pick<Metrics, 'count'>;
  log: Logger;
  /** A pod waits now, or for others than before. */
  onWaiting(pod: Pod): void;
}

/** Of a pod that holds room. */
export type RoomHolder = Pick<PodWorker, 'uid' | 'key' | 'pod' | 'claim' | 'stop'> & {
  readonly record: Pick<PodWorker['record'], 'stop'>;
};

/**
 * Whether the node takes the pod beside those that hold room. For a critical one those that should be down do not count,
 * but only where their room is needed: they are `outwaited` then.
 */
export function admitBeside<Holder extends RoomHolder & Pick<PodWorker, 'lateInMs'>>(
  pod: Pod,
  all: readonly Holder[],
  node: NodeAdmissionContext,
): { admission: Admission; holders: readonly Holder[]; outwaited: readonly Holder[] } {
  const beside = (holders: readonly Holder[]) =>
    admit(
      pod,
      holders.map(({ claim }) => claim),
      node,
    );
  const admission = beside(all);
  const late = isCriticalPod(pod) && !admission.admitted ? all.filter(({ lateInMs }) => lateInMs <= 0) : [];
  if (late.length === 0) return { admission, holders: all, outwaited: [] };
  const holders = all.filter((holder) => !late.includes(holder));
  return { admission: beside(holders), holders, outwaited: late };
}

export interface WaitingPod {
  /** As it is shown. */
  pod: Pod;
  waitsFor: readonly string[];
}

export class MakingRoom {
  readonly #o: MakingRoomOptions;
  readonly #waiting = new Map<string, WaitingPod & { told: Set<string> }>();

  constructor(options: MakingRoomOptions) {
    this.#o = options;
  }

  /** Critical pods whose turn comes when others have ended. */
  waiting(): Iterable<WaitingPod> {
    return this.#waiting.values();
  }

  /** @param refusal of the pod now. Returns whether there will be room for it. */
  begin(
    pod: Pod,
    refusal: { reason: string },
    holders: readonly RoomHolder[],
    node: NodeAdmissionContext,
  ): boolean {
    const staying = holders.filter(({ record }) => record.stop === undefined);
    const ending = preemptedFor(
      pod,
      staying.map(({ claim }) => claim),
      node,
    );
    if (ending === undefined) return false;
    const chosen = new Set(ending.map(podUid));
    for (const holder of staying.filter(({ uid }) => chosen.has(uid))) {
      this.#preempt(holder, pod);
      const preemption_signal = preemptionSignal(refusal.reason);
      this.#o.metrics.count('kubelet_preemptions', { preemption_signal });
    }
    this.#show(
      pod,
      holders.filter(({ record }) => record.stop !== undefined),
    );
    return true;
  }

  /** The pod is admitted, refused or wanted no more. Returns what was shown of it. */
  forget(uid: string): Pod | undefined {
    const shown = this.#waiting.get(uid)?.pod;
    this.#waiting.delete(uid);
    return shown;
  }

  /** Those that nobody wants any more, as they were shown. */
  forgetUnwanted(desired: ReadonlyMap<string, unknown>): Pod[] {
    return [...this.#waiting.keys()].filter((uid) => !desired.has(uid)).flatMap((uid) => this.forget(uid)!);
  }

  /** A pod that needs their room is admitted although these, which should be, are not down. */
  outwaited(pod: Pod, late: readonly RoomHolder[]): void {
    for (const holder of late) {
      const message = 'Container runtime did not kill the pod within specified grace period.';
      this.#o.log.warn(
        { pod: holder.key, for: podKey(pod) },
        'a critical pod is not kept waiting any longer for one that does not end',
      );
      this.#o.events.event(podReference(holder.pod), 'Warning', 'ExceededGracePeriod', message);
    }
  }

  #preempt(holder: RoomHolder, pod: Pod): void {
    const message = 'Preempted in order to admit critical pod';
    this.#o.log.warn({ pod: holder.key, for: podKey(pod) }, 'pod ends to make room for a critical one');
    this.#o.events.event(podReference(holder.pod), 'Warning', 'Preempting', message);
    const disruption = 'Pod was preempted by Kubelet to accommodate a critical pod.';
    const verdict = { phase: 'Failed' as const, reason: 'Preempting', message, disruption };
    holder.stop({ remove: false, verdict });
  }

  #show(pod: Pod, going: readonly RoomHolder[]): void {
    const uid = podUid(pod);
    const before = this.#waiting.get(uid);
    const names = going.map(({ key }) => key).sort();
    const message = `waits for room until these have ended: ${names.join(', ')}`;
    if (before?.pod.status?.message === message) return;
    const status = { ...pod.status, phase: 'Pending' as const, reason: waitingReason, message };
    const shown = withStatus(pod, status);
    const told = before?.told ?? new Set();
    if (names.some((name) => !told.has(name)))
      this.#o.events.event(podReference(pod), 'Normal', waitingReason, `The pod ${message}`);
    for (const name of names) told.add(name);
    this.#waiting.set(uid, { pod: shown, waitsFor: going.map(({ pod }) => conditionOf(pod)).sort(), told });
    this.#o.onWaiting(shown);
  }
}

/** Of pods that wait until others have made room. */
const waitingReason = 'WaitingForPreemption';

const conditionOf = (pod: Pod): string => {
  const condition = { kind: 'pod' as const, namespace: podNamespace(pod), name: podName(pod) };
  return `${formatCondition({ ...condition, state: 'finalized' })} (it is to make room)`;
};
