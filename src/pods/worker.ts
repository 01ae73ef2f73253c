/**
 * The worker of one pod: serial, coalescing to the newest desired state. It reads what the runtime holds, plans,
 * publishes the status and carries the plan out, again and again until nothing is left to do; then it sleeps until
 * something changed. It alone owns the actual state of its pod: setup -> terminating -> terminated.
 *
 * What it must not forget is in its PodRecord, saved before the first effect: a worker made from the record of an
 * earlier life of the agent goes on where that one was killed.
 */
import type { ContainerExit, Runtime } from '../../runtime/runtime.ts';
import type { Pod, PodStatus } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Plan } from './actions.ts';
import { type ActualPod, forgetShown, hasRun, nothingActual, withExits } from './actual.ts';
import { type CarryOutContext, carryOut, type Outcome } from './carry-out.ts';
import { Failures } from './failures.ts';
import { podGraceSeconds } from './grace.ts';
import { podKey, podUid } from './identity.ts';
import { type Kill, Kills } from './kills.ts';
import type { LifecycleLevel, PodLifecycle } from './lifecycle.ts';
import { LiveVolumes } from './live-volumes.ts';
import { intentOf, nextPlan } from './next-plan.ts';
import { type ObservationContext, observe } from './observation.ts';
import { noteKill, noteRevisions, type PodRecord, type Verdict } from './pod-record.ts';
import { RecordKeeper } from './record-keeper.ts';
import { podAtMost, withApplied } from './resize.ts';
import { Resizing } from './resizing.ts';
import { withOthers } from './status/conditions.ts';
import { type PodView, StatusReport } from './status-report.ts';
import { type Next, SyncLoop } from './sync-loop.ts';
import { withToldEnds } from './told-ends.ts';
import type { WorkerDeps } from './worker-deps.ts';

export class PodWorker {
  readonly uid: string;
  readonly key: string;
  readonly #deps: WorkerDeps;
  readonly #log: Logger;
  readonly #keeper: RecordKeeper;
  readonly #report: StatusReport;
  readonly #failures = new Failures(() => performance.now());
  readonly #kills: Kills;
  readonly #loop: SyncLoop;
  readonly #resizing: Resizing;
  readonly #liveVolumes: LiveVolumes;
  readonly #terminationMessages = new Map<string, string>();
  /** Containers whose image was made sure of. */
  readonly #pulled = new Set<string>();
  /** Ends that kills heard of before the runtime shows them, by container id. */
  readonly #exits = new Map<string, ContainerExit>();
  #actual: ActualPod;
  #adopted: ReadonlySet<string> | undefined;
  #stale = true;
  readonly #ended = Promise.withResolvers<void>();
  /** With the goal `unconfigured`: all of the pod was taken off the machine. */
  #isCleared = false;

  constructor(record: PodRecord, deps: WorkerDeps) {
    this.#deps = deps;
    this.uid = podUid(record.pod);
    this.key = podKey(record.pod);
    this.#log = deps.log.child({ pod: this.key, podUid: this.uid });
    this.#actual = nothingActual(this.uid);
    if (record.ended) this.#ended.resolve();
    const monotonicMs = () => performance.now();
    this.#keeper = new RecordKeeper(record, { ...deps, monotonicMs, log: this.#log });
    this.#resizing = new Resizing({ ...deps, keeper: this.#keeper, monotonicMs });
    this.#liveVolumes = new LiveVolumes({ ...deps, monotonicMs });
    this.#report = new StatusReport({
      ...deps,
      onGate: (pod, message) => deps.effects.reportStartGate(pod, message),
    });
    this.#loop = new SyncLoop({
      sync: (signal) => this.#sync(signal),
      onError: (err) => {
        deps.effects.reportSyncError(this.pod, err);
        this.#log.warn({ err }, 'pod could not be synced, will be retried');
      },
      lookAgain: (isResync) => {
        this.#stale = true;
        if (isResync) this.#liveVolumes.changed();
      },
      resyncMs: deps.resyncMs,
    });
    this.#kills = new Kills({
      run: (kill, signal) => this.#kill(kill, signal),
      onEnd: () => this.wake(),
      monotonicMs,
      log: this.#log,
    });
  }

  get #record(): PodRecord {
    return this.#keeper.record;
  }

  get pod(): Pod {
    return this.#record.pod;
  }

  /** As of the last sync; undefined before the first. */
  get status(): PodStatus | undefined {
    return this.#record.status;
  }

  get record(): Readonly<PodRecord> {
    return this.#record;
  }

  get runtime(): Runtime {
    return this.#deps.runtime;
  }

  /** What the runtime held at the last look. */
  get actual(): ActualPod {
    return this.#actual;
  }

  /** Ids of the instances that had run before this life of the agent took the pod over. */
  get adopted(): ReadonlySet<string> {
    return this.#adopted ?? new Set();
  }

  /** Resolves when the pod is down and holds nothing of the node any more. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** As of the last sync; undefined before the first of this life of the agent. */
  get lifecycle(): PodLifecycle | undefined {
    return this.#report.lifecycle(this.#context());
  }

  /** For other pods or for parts of the ROS graph. */
  get isWaiting(): boolean {
    return this.#report.waitsFor.length > 0;
  }

  /** Until nobody has to wait for its end any more: it should be down. Infinite while it is to run, or when it is down. */
  get lateInMs(): number {
    return this.#record.ended ? Number.POSITIVE_INFINITY : this.#keeper.lateInMs;
  }

  /** The pod with all that it holds of the node: in the course of a resize more than is allocated to it. */
  get claim(): Pod {
    return this.#record.resize?.inProgress === undefined ? this.pod : podAtMost(this.pod, this.#actual);
  }

  /** How far the pod is to be brought up from now on. Later lives of the agent know it before anybody sees it. */
  async setGoal(goal: LifecycleLevel): Promise<void> {
    if (goal === (this.#record.goal ?? 'active')) return;
    await this.#keeper.saveGoal(goal);
    this.#isCleared = false;
    this.#failures.clear();
    this.#interrupt();
  }

  /** A newer version of the same pod is desired; the containers in `changed` must be started again. */
  update(pod: Pod, changed: readonly string[] = []): void {
    const record = this.#record;
    record.pod = pod;
    this.#pulled.clear();
    noteRevisions(record, changed);
    this.#keeper.changed();
    this.retry();
  }

  /** The node has admitted the pod with other resources: what runs gets them. */
  allocate(pod: Pod): void {
    this.#resizing.begin(pod.metadata?.generation ?? 0);
    this.#actual = withApplied(this.#actual, this.#record);
    this.update(pod);
  }

  /** Why the node has not admitted the resources that are desired; undefined: it has, or they are desired no more. */
  setResizePending(why: Parameters<Resizing['setPending']>[0]): void {
    if (this.#resizing.setPending(why)) this.wake(false);
  }

  /** The pod's status as others see and write it: conditions that are not ours are taken over. */
  observeStatus({ conditions = [] }: PodStatus): void {
    const { status } = this.#record;
    if (status === undefined) return;
    // Whoever was told of the status before has that object.
    this.#record.status = { ...status, conditions: withOthers(status.conditions, conditions) };
    if ((this.#record.pod.spec?.readinessGates?.length ?? 0) > 0) this.wake(false);
  }

  /** Something that the pod needs changed: what failed is tried again at once, live volumes are rendered anew. */
  retry(): void {
    this.#liveVolumes.changed();
    this.#failures.retryNow();
    this.wake();
  }

  /**
   * Takes the pod down. A later call may only shorten the time. `remove`: it is no longer desired.
   * `verdict` is what its status says from then on.
   */
  stop(options: { graceSeconds?: number; remove: boolean; verdict?: Verdict }): void {
    const record = this.#record;
    const graceMs = (options.graceSeconds ?? podGraceSeconds(record.pod)) * 1000;
    const sooner = graceMs < this.#keeper.graceLeftMs;
    if (!sooner && (!options.remove || record.removing)) return;
    if (sooner) this.#keeper.stopWithin(graceMs);
    if (options.remove) record.removing = true;
    if (options.verdict !== undefined) record.verdict ??= options.verdict;
    this.#keeper.changed();
    // What is being started must not delay the end.
    this.#interrupt();
  }

  /** Something about the pod may have changed. `stale`: in the runtime, so that it must be asked. */
  wake(stale = true): void {
    this.#stale ||= stale;
    this.#loop.wake();
  }

  /** Runs until the pod is removed or the signal aborts; the pod itself is not touched by the latter. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal);
    this.#kills.abort();
  }

  #interrupt(): void {
    this.#stale = true;
    this.#loop.interrupt();
  }

  async #sync(signal: AbortSignal): Promise<Next> {
    const startedMs = performance.now();
    const next = await this.#syncOnce(signal);
    const seconds = (performance.now() - startedMs) / 1000;
    const operation_type = this.#record.stop === undefined ? 'sync' : 'terminate';
    this.#deps.metrics.observe('kubelet_pod_worker_duration_seconds', seconds, { operation_type });
    return next;
  }

  async #syncOnce(signal: AbortSignal): Promise<Next> {
    const deps = this.#deps;
    const record = this.#record;
    await this.#keeper.catchUp();
    const isFresh = this.#stale;
    if (isFresh) {
      this.#stale = false;
      const read = await deps.reader.read(deps.runtime, signal);
      this.#actual = withApplied(withToldEnds(read, record.status), record);
      forgetShown(this.#exits, this.#actual);
    }
    this.#actual = withExits(this.#actual, this.#exits);
    if (isFresh) {
      this.#adopted ??= new Set(this.#actual.containers.filter(hasRun).map(({ id }) => id));
      await observe(this.#context(), signal);
    }
    const refreshAtMs = record.stop
      ? undefined
      : await this.#liveVolumes.refresh(record.pod, this.#actual, signal);
    const intent = intentOf(record, this.#keeper.graceLeftMs, () => deps.startGate(record.pod));
    const next = nextPlan(record, {
      intent,
      actual: this.#actual,
      probes: deps.probes,
      backoff: deps.backoff,
      containerHash: deps.containerHash,
      pulled: this.#pulled,
      nowMs: deps.now(),
    });
    this.#report.noteGate(record.pod, intent, next);
    this.#publish(next);
    if (next.end !== undefined && record.stop === undefined) {
      record.verdict ??= next.end;
      deps.effects.reportEnd(record.pod, next.end);
      this.#keeper.stopWithin(podGraceSeconds(record.pod) * 1000);
      return 'again';
    }
    if (next.stopped && record.stop !== undefined) return this.#finish(signal);
    if (next.stopped && !this.#isCleared) {
      await deps.effects.remove(record.pod, this.#actual, signal);
      this.#isCleared = true;
      this.#pulled.clear();
      this.#stale = true;
      return 'again';
    }
    for (const [name, waiting] of next.waiting) deps.effects.reportWaiting(record.pod, name, waiting);
    const { acted, retryAtMs } = await this.#carryOut(next, signal);
    if (acted) {
      this.#stale = true;
      return 'again';
    }
    // Last, as nothing waits for it.
    if (isFresh) await deps.effects.removeOldInstances(this.#actual, signal);
    const never = Number.POSITIVE_INFINITY;
    const retryInMs = Math.min(retryAtMs ?? never, refreshAtMs ?? never) - performance.now();
    const plannedInMs = (next.wakeAtMs ?? never) - deps.now();
    return { wakeInMs: Math.min(retryInMs, plannedInMs) };
  }

  #carryOut({ actions }: Plan, signal: AbortSignal): Promise<Outcome> {
    const work = () => carryOut(actions, this.#context(), signal);
    return actions.length === 0 ? work() : this.#deps.removals.during(work);
  }

  /** Everything is down: give back what the pod held, and with `removing` every trace of it. */
  async #finish(signal: AbortSignal): Promise<Next> {
    const deps = this.#deps;
    const record = this.#record;
    if (!record.ended) {
      await deps.effects.release(record.pod, signal);
      record.ended = true;
      await this.#keeper.save();
      this.#publish(undefined);
      deps.onEnd('ended');
      this.#ended.resolve();
    }
    if (!record.removing) return { wakeInMs: Number.POSITIVE_INFINITY };
    deps.onEnd('released');
    const remove = () => deps.effects.remove(record.pod, this.#actual, signal);
    await deps.removals.run(record.runtime, remove, signal);
    deps.onEnd('removed');
    return 'removed';
  }

  async #kill(kill: Kill, signal: AbortSignal): Promise<void> {
    const { again, isVital } = noteKill(this.#record, this.#actual, kill);
    if (isVital) await this.#keeper.save();
    else if (!again) void this.#keeper.save();
    const onExit = (exit: ContainerExit) => {
      this.#exits.set(kill.containerId, exit);
      // A pod that is to end waits until the runtime has taken the container down.
      if (this.#record.stop === undefined) this.wake(false);
    };
    const request = { pod: this.#record.pod, actual: this.#actual, kill, again, onExit };
    await this.#deps.effects.killContainer(request, signal);
  }

  async #resize(names: readonly string[], signal: AbortSignal): Promise<ActualPod> {
    this.#actual = await this.#resizing.run(names, this.#actual, signal);
    return this.#actual;
  }

  /** What those need who look at the pod, tell of it and change it. */
  #context(): CarryOutContext & ObservationContext & PodView {
    const { effects, runtime, turns } = this.#deps;
    return {
      record: this.#record,
      actual: this.#actual,
      runtime,
      effects,
      turns,
      failures: this.#failures,
      kills: this.#kills,
      pulled: this.#pulled,
      resizing: this.#resizing,
      resize: (names, signal) => this.#resize(names, signal),
      terminationMessages: this.#terminationMessages,
      isCleared: this.#isCleared,
    };
  }

  #publish(next: Plan | undefined): void {
    if (this.#report.publish(this.#context(), next)) this.#keeper.changed();
  }
}
