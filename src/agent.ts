/**
 * The agent: turns desired pods into workers, and the end of workers into what comes next. It decides who runs at all
 * (admission, one pod of a name at a time, orphans); what a pod does is its worker's.
 */
import type { Pod } from './api/core.gen.ts';
import { autostartAnnotation } from './api/validate/annotations.ts';
import type { EventRecorder } from './events.ts';
import { rejectionReason } from './metrics/admission.ts';
import type { Metrics } from './metrics/metrics.ts';
import { admit, type NodeAdmissionContext } from './pods/admission.ts';
import { type ComeBack, comeBack } from './pods/come-back.ts';
import { podKey, podUid, withStatus } from './pods/identity.ts';
import { continuing, inPlaceChange, sameContent } from './pods/in-place.ts';
import { admitBeside, MakingRoom, type WaitingPod } from './pods/making-room.ts';
import { NextLook } from './pods/next-look.ts';
import { Orphans, orphanRecord } from './pods/orphans.ts';
import { type PodChange, PodChanges } from './pods/pod-changes.ts';
import { occupiesNode, PodControl } from './pods/pod-control.ts';
import type { PodRecord } from './pods/pod-record.ts';
import { newRecord } from './pods/pod-records.ts';
import { PodWorkers, type PodWorkersOptions } from './pods/pod-workers.ts';
import { type Refusal, Refusals, rejection } from './pods/refusals.ts';
import {
  compareResizes,
  judgeResize,
  resizedTo,
  type WaitingResize,
  withResourcesOf,
} from './pods/resize.ts';
import type { SeenPod } from './pods/runtime-watch.ts';
import type { PodWorker } from './pods/worker.ts';
import { type WorkingPod, workingPod } from './pods/working-pods.ts';
import { isClusterPod, isStaticPod } from './sources/source.ts';

export interface AgentOptions extends PodWorkersOptions {
  events: EventRecorder;
  metrics: Pick<Metrics, 'count' | 'observe'>;
  /** Whether it is known what pods of this pod's source are desired. */
  isSourceRead(pod: Pod): boolean;
  qosClass: (pod: Pod) => string;
  admissionContext(): NodeAdmissionContext;
  /**
   * False while it is not known what the node can run: the pod then waits to be admitted or refused.
   * @param isFinal a refusal would be for good: what was known in an earlier life of the agent is not enough
   */
  canJudge(pod: Pod, isFinal: boolean): boolean;
  /** The object is not kept any longer: nothing of its pod runs or is mounted on the machine any more. */
  finalize(uid: string): Promise<void>;
}

/** What a pod gets that was deleted by force: a moment to end by itself. */
const forcedGraceSeconds = 1;

export class Agent {
  readonly #o: AgentOptions;
  readonly #changes: PodChanges;
  readonly #workers: PodWorkers;
  readonly #refusals: Refusals;
  readonly #room: MakingRoom;
  #desired = new Map<string, Pod>();
  /** The version of a pod of the API that a worker was last told of. */
  readonly #told = new WeakMap<PodWorker, Pod>();
  /** Of static pods that were evicted. */
  readonly #comeBacks = new Map<string, ComeBack>();
  readonly #nextLook = new NextLook(() => this.nodeChanged());
  readonly #orphans = new Orphans();
  #reconciled = false;
  readonly control: PodControl;

  constructor(options: AgentOptions) {
    this.#o = options;
    this.#refusals = new Refusals(options);
    this.#changes = new PodChanges(options.log);
    this.#workers = new PodWorkers({
      ...options,
      changes: this.#changes,
      onFreed: () => this.nodeChanged(),
      onGone: ({ uid }) => {
        this.#refusals.settled(uid);
        this.#finalize(uid);
      },
      onRemoved: (uid) => {
        if (this.#desired.has(uid)) this.nodeChanged();
      },
      onUnsupervised: (pod, err) => this.#refusals.leaveUnsupervised(pod, err),
    });
    this.control = new PodControl({
      worker: (uid) => this.#workers.get(uid),
      whyNoRoom: (pod) => this.#whyNoRoom(pod),
    });
    this.#room = new MakingRoom({ ...options, onWaiting: (pod) => this.#changes.tell('changed', pod) });
  }

  /** Takes up what an earlier life of the agent left. The signal ends all workers, never a pod. */
  start(recorded: readonly PodRecord[], signal: AbortSignal): void {
    this.#workers.start(recorded, signal);
  }

  /** The whole set of desired pods, after every change of it. */
  reconcile(desired: readonly Pod[]): void {
    const uids = new Set(desired.map(podUid));
    const pods = desired.map((pod) => this.#takenOver(pod, uids));
    this.#desired = new Map(pods.map((pod) => [podUid(pod), pod]));
    this.#reconciled = true;
    for (const worker of this.#workers) {
      if (this.#desired.has(worker.uid) || !this.#o.isSourceRead(worker.pod)) continue;
      // An object of the API that is gone without having waited for its pod was deleted by force.
      worker.stop({ remove: true, ...(isStaticPod(worker.pod) ? {} : { graceSeconds: forcedGraceSeconds }) });
    }
    for (const uid of this.#comeBacks.keys()) if (!this.#desired.has(uid)) this.#comeBacks.delete(uid);
    for (const pod of this.#refusals.forgetUnwanted(this.#desired)) this.#changes.tell('gone', pod);
    for (const pod of this.#room.forgetUnwanted(this.#desired)) this.#changes.tell('gone', pod);
    this.#admitWaiting();
  }

  /** Node resources, conditions or runtimes changed: refused pods get another chance. */
  nodeChanged(): void {
    if (this.#reconciled) this.#admitWaiting();
  }

  /**
   * What a runtime holds but no worker answers for is taken down.
   * @param seen by the latest listing of all runtimes
   */
  claimOrphans(seen: Iterable<SeenPod>): void {
    if (!this.#reconciled) return;
    for (const orphan of this.#orphans.confirm([...seen].filter(({ uid }) => !this.owns(uid)))) {
      const pod = `${orphan.namespace}/${orphan.name}`;
      this.#o.log.warn({ pod, podUid: orphan.uid }, 'stopping the containers of a pod that nobody asked for');
      this.#o.metrics.count('kubelet_orphaned_runtime_pods_total', {});
      this.#workers.adopt(orphanRecord(orphan, this.#o.now()));
    }
  }

  workers(): Iterable<PodWorker> {
    return this.#workers;
  }

  /** Whether anything of the uid is still answered for, desired or not. */
  owns(uid: string): boolean {
    return this.#workers.owns(uid) || this.#desired.has(uid) || this.#refusals.has(uid);
  }

  /** What each pod that a worker looks after is at. */
  workingPods(): WorkingPod[] {
    return [...this.#workers].map(({ uid, record }) => workingPod(record, this.#desired.has(uid)));
  }

  worker(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  /** Critical pods that run as soon as others have made room for them. */
  waitingForRoom(): Iterable<WaitingPod> {
    return this.#room.waiting();
  }

  /** Every pod with its status: running, ended, refused and waiting ones. */
  pods(): Pod[] {
    const running = [...this.#workers].map((w) => withStatus(w.pod, w.status));
    const waiting = [...this.#room.waiting()].map(({ pod }) => pod);
    return [...running, ...this.#refusals.pods(), ...waiting];
  }

  onPodChange(listener: (change: PodChange) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** For a pod that takes none so far. What is refused is told, too. */
  #whyNoRoom(pod: Pod): string | undefined {
    if (!this.#o.canJudge(pod, false)) return 'it is not known yet what the node can run: try again';
    const admission = admit(pod, this.#active(), this.#o.admissionContext());
    if (admission.admitted) return undefined;
    this.#refusals.report(pod, admission);
    return `${admission.reason}: ${admission.message}`;
  }

  #admitWaiting(): void {
    for (const pod of [...this.#desired.values()].sort(bySeniority)) {
      const uid = podUid(pod);
      const worker = this.#workers.get(uid);
      if (worker !== undefined) this.#updateWorker(worker, pod);
      // The turn of its next life comes when nothing is left of this one.
      else if (this.#workers.isLeaving(uid)) continue;
      else if (pod.metadata?.deletionTimestamp !== undefined) this.#endUnstarted(pod);
      else if (![...this.#workers].some((w) => w.key === podKey(pod))) this.#tryAdmit(pod);
      // Else a pod of the same name still goes down: this one's turn comes when that is gone.
    }
    this.#resizePods();
  }

  /** Gives pods the resources that are desired for them, as far as the node has them. */
  #resizePods(): void {
    const waiting: (WaitingResize & { worker: PodWorker })[] = [];
    for (const worker of this.#workers) {
      const pod = this.#desired.get(worker.uid);
      if (pod === undefined || worker.record.stop !== undefined) continue;
      const allocated = worker.pod;
      const desired = resizedTo(allocated, pod);
      const sinceMs = worker.record.resize?.pending?.sinceMs ?? this.#o.now();
      if (desired !== allocated) waiting.push({ worker, desired, allocated, sinceMs });
      else worker.setResizePending(undefined);
    }
    for (const { worker, desired, allocated } of waiting.sort(compareResizes)) {
      if (!this.#o.canJudge(desired, false)) continue;
      const judgement = judgeResize(desired, allocated, this.#active(), this.#o.admissionContext());
      if (judgement === 'allocate') worker.allocate(desired);
      else this.#deferResize(worker, judgement);
    }
  }

  /** What is not the cluster's has nobody who follows its conditions: it is told by an event too. */
  #deferResize(worker: PodWorker, why: Parameters<PodWorker['setResizePending']>[0] & Refusal): void {
    worker.setResizePending(why);
    if (isClusterPod(worker.pod)) return;
    this.#refusals.report(worker.pod, { ...why, reason: `Resize${why.reason}` });
  }

  /** Nothing of it is here, but a controller counts it only when it has failed: a worker tells that before it goes. */
  #endUnstarted(pod: Pod): void {
    const uid = podUid(pod);
    const nowMs = this.#o.now();
    const down = { stop: { graceMs: 0, deadlineMs: nowMs }, removing: true };
    const isTold = !isClusterPod(pod) || isFinal(pod.status?.phase);
    if (!isTold && this.#workers.adopt({ ...newRecord(pod, nowMs), ...down })) return;
    this.#refusals.forget(uid);
    this.#room.forget(uid);
    // Of a pod that could not be supervised one is left from an earlier life.
    this.#workers.forget(uid);
    this.#finalize(uid);
  }

  /** A static pod that changed keeps its running predecessor's uid where that can take the change over. */
  #takenOver(pod: Pod, desired: ReadonlySet<string>): Pod {
    if (!isStaticPod(pod) || this.#workers.get(podUid(pod)) !== undefined) return pod;
    for (const worker of this.#workers) {
      if (worker.key !== podKey(pod) || desired.has(worker.uid) || !isStaticPod(worker.pod)) continue;
      if (worker.record.stop !== undefined) continue;
      if (inPlaceChange(worker.pod, pod, this.#o.qosClass) !== undefined) return continuing(pod, worker.pod);
    }
    return pod;
  }

  #updateWorker(worker: PodWorker, desired: Pod): void {
    if (this.#told.get(worker) === desired) return;
    // Before its first status a worker has nowhere to take the conditions of others over to.
    if (isClusterPod(desired) && worker.status !== undefined) this.#told.set(worker, desired);
    // Other resources have to be admitted first.
    const pod = withResourcesOf(desired, worker.pod);
    if (pod.metadata?.deletionTimestamp !== undefined) {
      const graceSeconds = pod.metadata.deletionGracePeriodSeconds;
      worker.stop({ remove: true, ...(graceSeconds === undefined ? {} : { graceSeconds }) });
    }
    if (isClusterPod(pod)) {
      worker.observeStatus(pod.status ?? {});
      // Others may end a pod too, such as a pod garbage collector that takes this node for lost.
      const { phase, reason, message } = pod.status ?? {};
      if (phase === 'Failed' && !worker.record.ended)
        worker.stop({ remove: false, verdict: { phase, reason, message } });
    }
    if (sameContent(worker.pod, pod)) {
      // A resize that is put off was told of.
      if (pod === desired) this.#refusals.settled(worker.uid);
      if (isStaticPod(pod) && isEvicted(worker.record)) this.#bringBack(worker, pod);
      return;
    }
    const changed = isStaticPod(pod) ? inPlaceChange(worker.pod, pod, this.#o.qosClass)?.changed : undefined;
    if (isStaticPod(pod) && !worker.record.ended && occupiesNode(worker)) {
      const admission = admit(pod, this.#active(), this.#o.admissionContext());
      if (!admission.admitted) {
        this.#refuseChange(worker, admission);
        return;
      }
    }
    this.#refusals.settled(worker.uid);
    worker.update(withStatus(pod, undefined), changed);
    this.#changes.tell('changed', withStatus(pod, worker.status));
  }

  /** What runs goes on as it was until the change can be had. */
  #refuseChange(worker: PodWorker, refusal: Refusal): void {
    const message = `the change of the manifest is refused, the pod goes on as it was: ${refusal.message}`;
    this.#refusals.report(worker.pod, { reason: refusal.reason, message });
  }

  /** Nothing but this node ever runs a static pod, so one that was evicted comes back when the node would admit it. */
  #bringBack(worker: PodWorker, pod: Pod): void {
    const known = this.#comeBacks.get(worker.uid) ?? comeBack(() => performance.now());
    this.#comeBacks.set(worker.uid, known);
    const leftMs = known.downUntilMs() - performance.now();
    if (leftMs > 0) {
      this.#nextLook.within(leftMs);
    } else if (admit(pod, this.#active(), this.#o.admissionContext()).admitted) {
      known.cameBack();
      this.#o.metrics.count('kubelet_restarted_pods_total', { static: 'true' });
      worker.stop({ remove: true });
    }
  }

  #active(): Pod[] {
    return this.#holders().map((w) => w.claim);
  }

  #holders(): PodWorker[] {
    return [...this.#workers].filter((w) => !w.record.ended && occupiesNode(w));
  }

  #tryAdmit(pod: Pod): void {
    const uid = podUid(pod);
    if (this.#refusals.isUnsupervised(uid)) return;
    if (pod.metadata?.annotations?.[autostartAnnotation] === 'false') {
      // What nothing is to run of takes no room: it is admitted when it is configured.
      this.#refusals.forget(uid);
      this.#workers.adopt({ ...newRecord(pod, this.#o.now()), goal: 'unconfigured' });
      return;
    }
    if (!this.#o.canJudge(pod, true)) return;
    const context = this.#o.admissionContext();
    const { admission, holders, outwaited } = admitBeside(pod, this.#holders(), context);
    if (admission.admitted) {
      this.#refusals.forget(uid);
      this.#room.forget(uid);
      this.#room.outwaited(pod, outwaited);
      const count = pod.spec?.containers.length ?? 0;
      this.#o.metrics.observe('kubelet_containers_per_pod_count', count, {});
      this.#workers.adopt(newRecord(pod, this.#o.now()));
    } else if (this.#room.begin(pod, admission, holders, context)) {
      this.#refusals.forget(uid);
      this.#nextLook.within(Math.min(...holders.map((w) => w.lateInMs)));
    } else {
      this.#room.forget(uid);
      // A static one waits until what refuses it changes.
      const refused = isStaticPod(pod) ? this.#refusals.refuse(pod, admission) : this.#refuse(pod, admission);
      if (refused === undefined) return;
      this.#countRejection(admission);
      this.#changes.tell('changed', refused);
    }
  }

  /** A pod of the API has failed for good, as its controller expects. */
  #refuse(pod: Pod, refusal: Refusal): undefined {
    this.#refusals.report(pod, refusal);
    this.#countRejection(refusal);
    const nowMs = this.#o.now();
    this.#workers.adopt({
      ...newRecord(pod, nowMs),
      // Nothing of it will be here: it takes no room of others, not even until that is told.
      goal: 'unconfigured',
      verdict: { phase: 'Failed', reason: refusal.reason, message: rejection(refusal) },
      stop: { graceMs: 0, deadlineMs: nowMs },
    });
  }

  #countRejection({ reason }: Refusal): void {
    this.#o.metrics.count('kubelet_admission_rejections_total', { reason: rejectionReason(reason) });
  }

  #finalize(uid: string): void {
    this.#o
      .finalize(uid)
      .catch((err: unknown) => this.#o.log.error({ err, podUid: uid }, 'cannot finalize a pod that is gone'));
  }
}

const isFinal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

const isEvicted = ({ ended, removing, verdict }: Readonly<PodRecord>): boolean =>
  ended && !removing && verdict?.reason === 'Evicted';

/** Older pods first, so that what was there before is not pushed out by what came later. */
function bySeniority(a: Pod, b: Pod): number {
  const [ageOfA, ageOfB] = [a, b].map((pod) => pod.metadata?.creationTimestamp ?? '') as [string, string];
  return (
    (b.spec?.priority ?? 0) - (a.spec?.priority ?? 0) || (ageOfA < ageOfB ? -1 : ageOfA > ageOfB ? 1 : 0)
  );
}
