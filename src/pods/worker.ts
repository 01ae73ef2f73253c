/**
 * The worker of one pod: serial, coalescing to the newest desired state. It reads what the runtime holds, plans,
 * publishes the status and carries the plan out, again and again until nothing is left to do; then it sleeps until
 * something changed. It alone owns the actual state of its pod: setup -> terminating -> terminated.
 *
 * What it must not forget is in its PodRecord, saved before the first effect: a worker made from the record of an
 * earlier life of the agent goes on where that one was killed.
 */

import type { ContainerStatus, Runtime } from '../../runtime/runtime.ts';
import type { Container, Pod, PodStatus } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { ProbeResults } from '../probes/results.ts';
import type { Metrics } from '../server/metrics.ts';
import { type ActualPod, currentSandbox, hasRun, isLost, latestInstance, nothingActual } from './actual.ts';
import type { ActualReader } from './actual-reader.ts';
import type { BackoffConfig } from './backoff.ts';
import type { PodEffects, StartFailure } from './effects.ts';
import { findContainer } from './effects.ts';
import { podKey, podUid } from './identity.ts';
import {
  type LifecycleLevel,
  type PodLifecycle,
  reachedLevel,
  startConditionReason,
  waitingMessage,
  whyNotActive,
} from './lifecycle.ts';
import { type Action, type Intent, type Plan, plan, podGraceSeconds, type Waiting } from './plan.ts';
import { isWhollyApplied, type PodResize, podAtMost, withApplied } from './resize.ts';
import { restartPolicy } from './restart.ts';
import type { RuntimeKind } from './runtimes.ts';
import { computedConditions, podStatus } from './status.ts';
import { time } from './time.ts';

/** What survives the agent. Kept in the store under the pod's uid. */
export interface PodRecord {
  pod: Pod;
  /** Epoch at which this node first saw the pod. */
  firstSeenMs: number;
  /** Why the pod ended, once nothing of it will run again. */
  verdict?: Verdict;
  /** Set from the moment on which the pod is being taken down: the grace it got, and its end (epoch). */
  stop?: { graceMs: number; deadlineMs: number };
  /** Everything is down and the node's resources are given back; only records and logs remain. */
  ended: boolean;
  /** The pod is no longer desired: nothing of it may remain. */
  removing: boolean;
  /** How often a container was changed in place; part of its hash, so that a higher one starts it anew. */
  revisions?: Record<string, number>;
  /** Ids of instances that were killed to be started again, whatever the restart policy says of how they ended. */
  replaced?: string[];
  /** Ids of instances whose preStop hook was begun: it runs once, also when the agent is killed in it. */
  hooked?: string[];
  /** A resize that is not done. */
  resize?: PodResize;
  /** What was applied to running containers after they were made, by their ids. */
  applied?: Record<string, string>;
  /** How far the pod is to be brought up; undefined: active. */
  goal?: LifecycleLevel;
  /** How far it has come; undefined: not at all. */
  reached?: LifecycleLevel;
  /** Which runtime has the pod. */
  runtime: RuntimeKind;
  status?: PodStatus;
}

export interface Verdict {
  phase?: 'Failed' | 'Succeeded';
  reason?: string;
  message?: string;
  /** The node ended it for others' sake: why, for those who count what a pod did itself (KEP-3329). */
  disruption?: string;
}

export interface WorkerDeps {
  runtime: Runtime;
  reader: ActualReader;
  effects: PodEffects;
  probes: ProbeResults;
  backoff: BackoffConfig;
  containerHash: (container: Container) => string;
  hostIps: () => readonly string[];
  /** For what the pod's first container has to wait. */
  startGate(pod: Pod): readonly string[];
  qosClass: (pod: Pod) => string;
  metrics: Metrics;
  log: Logger;
  now: () => number;
  /** How often everything is looked at without a hint. */
  resyncMs: number;
  /** The record that the worker is made from is on disk. */
  isSaved: boolean;
  /** The record must be on disk before the promise resolves. */
  save(record: PodRecord): Promise<void>;
  onStatus(pod: Pod, status: PodStatus): void;
  /** What a resize gave back is free for others. */
  onResized(): void;
  /** Resources are free again (`ended`) or the pod is gone altogether (`removed`). */
  onEnd(worker: PodWorker, what: 'ended' | 'removed'): void;
}

export class PodWorker {
  readonly uid: string;
  readonly key: string;
  readonly #deps: WorkerDeps;
  readonly #log: Logger;
  readonly #record: PodRecord;
  /** What failed, by container name ('' is the sandbox): it is not tried again before its time. */
  readonly #failed = new Map<string, Failure>();
  readonly #messages = new Map<string, string>();
  /** Containers whose image was made sure of. */
  readonly #pulled = new Set<string>();
  /** By container id; deadlines on the monotonic clock. */
  readonly #kills = new Map<string, { deadlineMs: number; controller: AbortController }>();
  /** End of the grace on the monotonic clock, which no step of the wall clock moves. */
  #stopDeadlineMs = Number.POSITIVE_INFINITY;
  #clock: { wallMs: number; monotonicMs: number };
  #actual: ActualPod;
  #stale = true;
  #changedPod = false;
  #awake = true;
  #wakeUp: (() => void) | undefined;
  #sync: AbortController | undefined;
  /** After a try that failed; on the monotonic clock. */
  #resizeRetry: { count: number; atMs: number } | undefined;
  #failures = 0;
  #saved = false;
  #published = '';
  /** With the goal `unconfigured`: all of the pod was taken off the machine. */
  #isCleared = false;
  #waitsFor: readonly string[] = [];

  constructor(record: PodRecord, deps: WorkerDeps) {
    this.#record = record;
    this.#deps = deps;
    this.uid = podUid(record.pod);
    this.key = podKey(record.pod);
    this.#log = deps.log.child({ pod: this.key, podUid: this.uid });
    this.#actual = nothingActual(this.uid);
    this.#saved = deps.isSaved;
    this.#clock = { wallMs: deps.now(), monotonicMs: performance.now() };
    if (record.stop !== undefined) {
      // A grace that an earlier life of the agent began goes on; a clock that was set cannot make it longer.
      const leftMs = Math.min(Math.max(record.stop.deadlineMs - deps.now(), 0), record.stop.graceMs);
      this.#stopDeadlineMs = performance.now() + leftMs;
    }
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

  /** As of the last sync; undefined before the first of this life of the agent. */
  get lifecycle(): PodLifecycle | undefined {
    if (this.#published === '') return undefined;
    const { ended, goal = 'active', reached = 'unconfigured', removing, stop, status } = this.#record;
    const problem = this.#problem(status);
    return {
      goal,
      reached,
      isStopping: stop !== undefined,
      isUnwanted: removing,
      isEnded: ended,
      waitsFor: this.#waitsFor,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** For other pods or for parts of the ROS graph. */
  get isWaiting(): boolean {
    return this.#waitsFor.length > 0;
  }

  /** The pod with all that it holds of the node: in the course of a resize more than is allocated to it. */
  get claim(): Pod {
    return this.#record.resize?.inProgress === undefined ? this.pod : podAtMost(this.pod, this.#actual);
  }

  /** How far the pod is to be brought up from now on. Later lives of the agent know it before anybody sees it. */
  async setGoal(goal: LifecycleLevel): Promise<void> {
    const record = this.#record;
    if (goal === (record.goal ?? 'active')) return;
    try {
      await this.#deps.save({ ...record, goal });
    } catch (err) {
      this.#log.error(
        { err, goal },
        'the goal of the pod cannot be kept; a restart of the agent may not know of it',
      );
    }
    record.goal = goal;
    this.#saved = false;
    this.#isCleared = false;
    this.#failed.clear();
    this.#sync?.abort(new GoalChanged());
    this.wake();
  }

  /** A newer version of the same pod is desired; the containers in `changed` must be started again. */
  update(pod: Pod, changed: readonly string[] = []): void {
    const record = this.#record;
    record.pod = pod;
    this.#pulled.clear();
    for (const name of changed) {
      record.revisions = { ...record.revisions, [name]: (record.revisions?.[name] ?? 0) + 1 };
    }
    this.#saved = false;
    this.retry();
  }

  /** The node has admitted the pod with other resources: what runs gets them. */
  allocate(pod: Pod): void {
    const generation = pod.metadata?.generation ?? 0;
    this.#record.resize = { inProgress: { generation, sinceMs: this.#deps.now() } };
    this.#resizeRetry = undefined;
    this.update(pod);
  }

  /** Why the node has not admitted the resources that are desired; undefined: it has, or they are desired no more. */
  setResizePending(why: Pick<NonNullable<PodResize['pending']>, 'reason' | 'message'> | undefined): void {
    const record = this.#record;
    const { pending, inProgress } = record.resize ?? {};
    const generation = record.pod.metadata?.generation ?? 0;
    const isSame =
      pending?.reason === why?.reason &&
      pending?.message === why?.message &&
      (why === undefined || pending?.generation === generation);
    if (isSame) return;
    const sinceMs =
      pending !== undefined && pending.reason === why?.reason ? pending.sinceMs : this.#deps.now();
    record.resize = {
      ...(why === undefined ? {} : { pending: { ...why, generation, sinceMs } }),
      ...(inProgress === undefined ? {} : { inProgress }),
    };
    this.#saved = false;
    this.wake(false);
  }

  /** The pod's status as others see and write it: conditions that are not ours are taken over. */
  observeStatus({ conditions = [] }: PodStatus): void {
    const { status } = this.#record;
    if (status === undefined) return;
    const others = conditions.filter(({ type }) => !computedConditions.has(type));
    const own = status.conditions?.filter(({ type }) => computedConditions.has(type)) ?? [];
    status.conditions = [...own, ...others];
    if ((this.#record.pod.spec?.readinessGates?.length ?? 0) > 0) this.wake(false);
  }

  /** Something that the pod needs changed: what failed is tried again at once, live volumes are rendered anew. */
  retry(): void {
    this.#changedPod = true;
    for (const failure of this.#failed.values()) failure.retryAtMs = 0;
    this.wake();
  }

  /**
   * Takes the pod down. A later call may only shorten the time. `remove`: it is no longer desired.
   * `verdict` is what its status says from then on.
   */
  stop(options: { graceSeconds?: number; remove: boolean; verdict?: Verdict }): void {
    const record = this.#record;
    const graceMs = (options.graceSeconds ?? podGraceSeconds(record.pod)) * 1000;
    const sooner = performance.now() + graceMs < this.#stopDeadlineMs;
    if (!sooner && (!options.remove || record.removing)) return;
    if (sooner) this.#stopWithin(graceMs);
    if (options.remove) record.removing = true;
    if (options.verdict !== undefined) record.verdict ??= options.verdict;
    this.#saved = false;
    // What is being started must not delay the end.
    this.#sync?.abort(new GoalChanged());
    this.wake();
  }

  /** Something about the pod may have changed. `stale`: in the runtime, so that it must be asked. */
  wake(stale = true): void {
    this.#stale ||= stale;
    this.#awake = true;
    this.#wakeUp?.();
  }

  /** Runs until the pod is removed or the signal aborts; the pod itself is not touched by the latter. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#awake = false;
      this.#sync = new AbortController();
      let wakeInMs: number | undefined;
      try {
        const startedMs = performance.now();
        const next = await this.#syncOnce(AbortSignal.any([signal, this.#sync.signal]));
        this.#deps.metrics.observe(
          'kubelet_pod_worker_duration_seconds',
          (performance.now() - startedMs) / 1000,
          {
            operation_type: this.#record.stop === undefined ? 'sync' : 'terminate',
          },
        );
        if (next === 'removed') return;
        this.#failures = 0;
        if (next === 'again') continue;
        wakeInMs = next.wakeInMs;
      } catch (err) {
        if (signal.aborted) break;
        this.#stale = true;
        if (this.#sync.signal.aborted) continue;
        this.#failures += 1;
        wakeInMs = retryDelayMs(this.#failures);
        this.#deps.effects.reportSyncError(this.#record.pod, err);
        this.#log.warn({ err }, 'pod could not be synced, will be retried');
      }
      await this.#sleep(wakeInMs, signal);
    }
    for (const { controller } of this.#kills.values()) controller.abort();
  }

  async #syncOnce(signal: AbortSignal): Promise<'again' | 'removed' | { wakeInMs: number | undefined }> {
    const deps = this.#deps;
    const record = this.#record;
    this.#followClock();
    if (!this.#saved) await this.#save();
    if (this.#stale) {
      this.#stale = false;
      this.#actual = withApplied(await deps.reader.read(deps.runtime, this.uid, signal), record.applied);
      await this.#observe(signal);
    }
    if (this.#changedPod && !record.stop) {
      this.#changedPod = false;
      await this.#refreshVolumes(signal);
    }
    const intent = this.#intent();
    const next = plan({
      pod: record.pod,
      intent,
      actual: this.#actual,
      probes: deps.probes,
      backoff: deps.backoff,
      containerHash: (container) => this.#hash(container),
      replaced: new Set(record.replaced),
      pulled: this.#pulled,
      restartCounts: restartCounts(record.status),
      resizing: record.resize?.inProgress !== undefined,
      startedAtMs: record.firstSeenMs,
      nowMs: deps.now(),
    });
    this.#noteGate(intent, next);
    this.#publish(next);
    if (next.end !== undefined && record.stop === undefined) {
      record.verdict ??= next.end;
      this.#stopWithin(podGraceSeconds(record.pod) * 1000);
      this.#saved = false;
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
    const { acted, retryAtMs } = await this.#carryOut(next.actions, signal);
    if (acted) {
      this.#stale = true;
      return 'again';
    }
    const retry = retryAtMs === undefined ? undefined : retryAtMs - performance.now();
    const planned = next.wakeAtMs === undefined ? undefined : next.wakeAtMs - deps.now();
    return { wakeInMs: earliest([retry, planned]) };
  }

  #intent(): Intent {
    const { goal = 'active', pod, stop } = this.#record;
    if (stop !== undefined) {
      return { kind: 'stop', graceMs: Math.max(this.#stopDeadlineMs - performance.now(), 0) };
    }
    if (goal === 'unconfigured') return { kind: 'clear', why: whyNotActive.unconfigured };
    if (goal === 'inactive') return { kind: 'prepare', why: whyNotActive.inactive };
    const unmet = this.#deps.startGate(pod);
    if (unmet.length === 0) return { kind: 'run' };
    return { kind: 'run', gate: { reason: startConditionReason, message: waitingMessage(unmet), unmet } };
  }

  /** A volume that cannot be rendered anew keeps what it shows; the pod is supervised all the same. */
  async #refreshVolumes(signal: AbortSignal): Promise<void> {
    const { effects } = this.#deps;
    try {
      await effects.refreshVolumes(this.#record.pod, this.#actual, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      effects.reportSyncError(this.#record.pod, err);
    }
  }

  #stopWithin(graceMs: number): void {
    this.#stopDeadlineMs = performance.now() + graceMs;
    this.#record.stop = { graceMs, deadlineMs: this.#deps.now() + graceMs };
  }

  /** A pod is supervised also when nothing can be written; the record is tried again at the next sync. */
  async #save(): Promise<void> {
    this.#saved = true;
    try {
      await this.#deps.save(this.#record);
    } catch (err) {
      this.#saved = false;
      this.#log.error(
        { err },
        'the record of the pod cannot be kept; a restart of the agent may not know of it',
      );
    }
  }

  /** Moves what is counted from a wall clock time along with a clock that was set. */
  #followClock(): void {
    const wallMs = this.#deps.now();
    const monotonicMs = performance.now();
    const stepMs = wallMs - this.#clock.wallMs - (monotonicMs - this.#clock.monotonicMs);
    this.#clock = { wallMs, monotonicMs };
    if (Math.abs(stepMs) <= clockStepMs) return;
    this.#record.firstSeenMs += stepMs;
    if (this.#record.stop !== undefined) this.#record.stop.deadlineMs += stepMs;
    this.#saved = false;
  }

  /** Everything is down: give back what the pod held, and with `removing` every trace of it. */
  async #finish(signal: AbortSignal): Promise<'again' | 'removed' | { wakeInMs: undefined }> {
    const deps = this.#deps;
    const record = this.#record;
    if (!record.ended) {
      await deps.effects.release(record.pod, signal);
      record.ended = true;
      await this.#save();
      this.#publish(undefined);
      deps.onEnd(this, 'ended');
    }
    if (!record.removing) return { wakeInMs: undefined };
    await deps.effects.remove(record.pod, this.#actual, signal);
    deps.onEnd(this, 'removed');
    return 'removed';
  }

  /** Returns whether anything was tried in the runtime, and when what failed before is to be tried again. */
  async #carryOut(
    actions: readonly Action[],
    signal: AbortSignal,
  ): Promise<{ acted: boolean; retryAtMs: number | undefined }> {
    const { runtime } = this.#deps;
    let acted = false;
    let retryAtMs: number | undefined;
    for (const action of actions) {
      signal.throwIfAborted();
      if (action.do === 'killContainer') {
        this.#kill(action);
        continue;
      }
      if (action.do === 'resize') {
        const dueMs = this.#resizeRetry?.atMs ?? 0;
        if (dueMs > performance.now()) retryAtMs = earliest([retryAtMs, dueMs]);
        else {
          await this.#resize(action.names, signal);
          acted = true;
        }
        continue;
      }
      if (action.do === 'createSandbox' || action.do === 'startContainer' || action.do === 'pullImage') {
        const subject = action.do === 'createSandbox' ? '' : action.name;
        const failure = this.#failed.get(subject);
        if (failure !== undefined && failure.retryAtMs > performance.now()) {
          retryAtMs = earliest([retryAtMs, failure.retryAtMs]);
          continue;
        }
        const failed = await this.#try(action, signal);
        if (failed !== undefined) this.#fail(subject, failed);
        else {
          this.#failed.delete(subject);
          if (action.do === 'pullImage') this.#pulled.add(subject);
        }
      } else if (action.do === 'stopSandbox') {
        await runtime.stopPodSandbox(action.podSandboxId, signal);
      } else {
        await runtime.removeContainer(action.containerId, signal);
      }
      acted = true;
    }
    return { acted, retryAtMs };
  }

  #try(
    action: Extract<Action, { do: 'createSandbox' | 'startContainer' | 'pullImage' }>,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { effects } = this.#deps;
    const { pod } = this.#record;
    if (action.do === 'createSandbox') return effects.createSandbox(pod, action, signal);
    if (action.do === 'pullImage') return effects.pullImage(pod, action, this.#actual, signal);
    return effects.startContainer(pod, action, this.#actual, signal);
  }

  async #resize(names: readonly string[], signal: AbortSignal): Promise<void> {
    const record = this.#record;
    const { pod } = record;
    const applied: Record<string, string> = {};
    const onApplied = (id: string, resources: string) => {
      applied[id] = resources;
    };
    let error: string | undefined;
    try {
      await this.#deps.effects.resize({ pod, actual: this.#actual, names, onApplied }, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      error = describe(err);
    }
    const there = new Set(this.#actual.containers.map(({ id }) => id));
    const kept = Object.entries({ ...record.applied, ...applied }).filter(([id]) => there.has(id));
    record.applied = Object.fromEntries(kept);
    this.#actual = withApplied(this.#actual, record.applied);
    // Meanwhile something else may have been allocated.
    if (record.pod === pod) this.#noteResize(error);
    await this.#save();
  }

  #noteResize(error: string | undefined): void {
    const record = this.#record;
    const { pod, resize } = record;
    if (error !== undefined) {
      const count = (this.#resizeRetry?.count ?? 0) + 1;
      this.#resizeRetry = { count, atMs: performance.now() + retryDelayMs(count) };
      const generation = pod.metadata?.generation ?? 0;
      const inProgress = resize?.inProgress ?? { generation, sinceMs: this.#deps.now() };
      record.resize = { ...resize, inProgress: { ...inProgress, error } };
      return;
    }
    this.#resizeRetry = undefined;
    if (resize?.inProgress === undefined || !isWhollyApplied(pod, this.#actual)) return;
    record.resize = resize.pending === undefined ? {} : { pending: resize.pending };
    this.#deps.effects.reportResized(pod);
    this.#deps.onResized();
  }

  #hash(container: Container): string {
    const revision = this.#record.revisions?.[container.name] ?? 0;
    const hash = this.#deps.containerHash(container);
    return revision === 0 ? hash : `${hash}-${revision}`;
  }

  #fail(subject: string, { retryInMs, ...waiting }: StartFailure): void {
    const count = (this.#failed.get(subject)?.count ?? 0) + 1;
    this.#failed.set(subject, {
      waiting,
      count,
      retryAtMs: performance.now() + (retryInMs ?? retryDelayMs(count)),
    });
  }

  /** Kills in the background: a container that takes its grace must not hold up the others. */
  #kill(action: Extract<Action, { do: 'killContainer' }>): void {
    const running = this.#kills.get(action.containerId);
    const deadlineMs = performance.now() + action.graceMs;
    if (running !== undefined && running.deadlineMs <= deadlineMs + deadlineSlackMs) return;
    running?.controller.abort();
    const controller = new AbortController();
    const entry = { deadlineMs, controller };
    this.#kills.set(action.containerId, entry);
    const instance = this.#noteKill(action);
    void this.#runKill(action, entry, instance);
  }

  /** Puts into the record what must be known of the kill later. Returns whether the container was killed before. */
  #noteKill(action: Extract<Action, { do: 'killContainer' }>): { again: boolean } {
    const record = this.#record;
    const container = findContainer(record.pod, action.name);
    const again = record.hooked?.includes(action.containerId) ?? false;
    if (!again) {
      const there = new Set(this.#actual.containers.map((c) => c.id));
      const kept = (ids: readonly string[] = []) => ids.filter((id) => there.has(id));
      record.hooked = [...kept(record.hooked), action.containerId];
      const restarts = container !== undefined && restartPolicy(record.pod, container) !== 'Never';
      const isOurs = action.reason === 'changed' || action.reason === 'deactivated';
      if (isOurs || (action.reason !== 'pod' && restarts)) {
        record.replaced = [...kept(record.replaced), action.containerId];
      }
    }
    return { again };
  }

  async #runKill(
    action: Extract<Action, { do: 'killContainer' }>,
    entry: { controller: AbortController },
    { again }: { again: boolean },
  ): Promise<void> {
    const { signal } = entry.controller;
    try {
      if (!again) await this.#save();
      await this.#deps.effects.killContainer(this.#record.pod, action, this.#actual, again, signal);
    } catch (err) {
      if (signal.aborted) return;
      this.#log.warn({ err, container: action.name }, 'container could not be stopped, will be retried');
      setTimeout(() => this.#forgetKill(action.containerId, entry), killRetryMs).unref();
      return;
    }
    this.#forgetKill(action.containerId, entry);
  }

  #forgetKill(containerId: string, entry: { controller: AbortController }): void {
    if (this.#kills.get(containerId) === entry) this.#kills.delete(containerId);
    this.wake();
  }

  /** Starts and ends probing, and reads the last words of what ended. */
  async #observe(signal: AbortSignal): Promise<void> {
    const { effects } = this.#deps;
    const wanted = new Set<ContainerStatus>();
    for (const name of containerNames(this.#record.pod)) {
      const newest = latestInstance(this.#actual, name);
      if (newest?.state !== 'CONTAINER_RUNNING') continue;
      wanted.add(newest);
      // Also when it was not this life of the agent that started it.
      this.#failed.delete(name);
    }
    if (currentSandbox(this.#actual) !== undefined) this.#failed.delete('');
    const stopping = this.#record.stop !== undefined || (this.#record.goal ?? 'active') !== 'active';
    effects.probe(this.#record.pod, this.#actual, wanted, this.#record.status, stopping);
    const known = new Set(this.#actual.containers.map((c) => c.id));
    for (const id of this.#messages.keys()) if (!known.has(id)) this.#messages.delete(id);
    for (const name of containerNames(this.#record.pod)) {
      const ran = this.#actual.containers.find((c) => c.metadata.name === name && hasRun(c));
      if (ran !== undefined && isLost(ran) && !this.#isEndTold(ran)) {
        effects.reportLost(this.#record.pod, ran);
      }
    }
    for (const instance of this.#actual.containers) {
      if (instance.state !== 'CONTAINER_EXITED' || this.#messages.has(instance.id)) continue;
      this.#messages.set(instance.id, await effects.terminationMessage(instance, signal));
    }
    await effects.removeOldInstances(this.#actual, signal);
  }

  /** Whether the last status, be it of an earlier life of the agent, shows that the instance has ended. */
  #isEndTold({ id }: ContainerStatus): boolean {
    const { containerStatuses = [], initContainerStatuses = [] } = this.#record.status ?? {};
    return [...containerStatuses, ...initContainerStatuses]
      .flatMap(({ state, lastState }) => [state?.terminated, lastState?.terminated])
      .some((end) => end?.containerID === `${this.#deps.runtime.name}://${id}`);
  }

  #publish(next: Plan | undefined): void {
    const deps = this.#deps;
    const record = this.#record;
    const status = podStatus({
      pod: record.pod,
      actual: this.#actual,
      runtimeName: deps.runtime.name,
      probes: deps.probes,
      waiting: this.#waiting(next),
      terminationMessages: this.#messages,
      previous: record.status,
      startTime: time(record.firstSeenMs),
      hostIps: deps.hostIps(),
      qosClass: deps.qosClass(record.pod),
      ...(record.verdict === undefined ? {} : { verdict: record.verdict }),
      ended: record.ended,
      ...(record.resize === undefined ? {} : { resize: record.resize }),
      nowMs: deps.now(),
    });
    if (status.phase === 'Running' && (record.status?.phase ?? 'Pending') === 'Pending') {
      const seconds = Math.max(deps.now() - record.firstSeenMs, 0) / 1000;
      deps.metrics.observe('kubelet_pod_start_duration_seconds', seconds, {});
    }
    record.status = status;
    this.#noteReached(next, status);
    const { goal, reached, stop, ended } = record;
    const text = JSON.stringify([status, goal, reached, stop !== undefined, ended, this.#problem(status)]);
    if (text === this.#published) return;
    this.#published = text;
    deps.onStatus(record.pod, status);
  }

  #noteGate(intent: Intent, next: Plan): void {
    const gate = intent.kind === 'run' ? intent.gate : undefined;
    const before = this.#waitsFor.join();
    this.#waitsFor = gate !== undefined && [...next.waiting.values()].includes(gate) ? gate.unmet : [];
    if (gate !== undefined && this.#waitsFor.length > 0 && this.#waitsFor.join() !== before) {
      this.#deps.effects.reportStartGate(this.#record.pod, gate.message);
    }
  }

  #noteReached(next: Plan | undefined, status: PodStatus): void {
    const record = this.#record;
    if (next === undefined || record.stop !== undefined) return;
    const before = record.reached ?? 'unconfigured';
    record.reached = reachedLevel({
      before,
      goal: record.goal ?? 'active',
      plan: next,
      hasSandbox: currentSandbox(this.#actual) !== undefined,
      hasContainers: this.#actual.containers.length > 0,
      isCleared: this.#isCleared,
      status,
    });
    // That it was active cannot be seen later while it is just not ready.
    if (record.reached === 'active' && before !== 'active') this.#saved = false;
  }

  #problem(status: PodStatus | undefined): Waiting | undefined {
    // The first failure may be a hiccup.
    const failure = [...this.#failed.values()].find(({ count }) => count > 1);
    if (failure !== undefined) return failure.waiting;
    const { containerStatuses = [], initContainerStatuses = [] } = status ?? {};
    const { reason, message = '' } =
      [...initContainerStatuses, ...containerStatuses].find(
        (s) => s.state?.waiting?.reason === 'CrashLoopBackOff',
      )?.state?.waiting ?? {};
    return reason === undefined ? undefined : { reason, message };
  }

  #waiting(next: Plan | undefined): Map<string, Waiting> {
    const waiting = new Map([...this.#failed].map(([name, failure]) => [name, failure.waiting]));
    const {
      containerStatuses = [],
      initContainerStatuses = [],
      ephemeralContainerStatuses = [],
    } = this.#record.status ?? {};
    const before = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses];
    for (const action of next?.actions ?? []) {
      if (action.do !== 'startContainer') continue;
      // What waited goes on waiting until it runs: it does not turn back into what it was before.
      const { reason, message = '' } = before.find((s) => s.name === action.name)?.state?.waiting ?? {};
      if (reason !== undefined && !waiting.has(action.name)) waiting.set(action.name, { reason, message });
    }
    for (const [name, why] of next?.waiting ?? []) waiting.set(name, why);
    return waiting;
  }

  async #sleep(wakeInMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#awake || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wakeUp = undefined;
        resolve();
      };
      // Also with nothing to wait for the pod is looked at again; a stepped clock cannot make a wait last for ever.
      const resyncInMs = this.#deps.resyncMs * (0.75 + Math.random() / 2);
      const isResync = wakeInMs === undefined || wakeInMs > resyncInMs;
      const timer = setTimeout(
        () => {
          this.#stale = true;
          this.#changedPod ||= isResync;
          done();
        },
        isResync ? resyncInMs : Math.max(wakeInMs, 0),
      );
      signal.addEventListener('abort', done, { once: true });
      this.#wakeUp = done;
    });
  }
}

const killRetryMs = 1000;

/** A kill that is under way is begun anew only for an end that is sooner by more than that. */
const deadlineSlackMs = 100;

/** Smaller differences between the clocks are drift or a busy machine. */
const clockStepMs = 5000;

interface Failure {
  waiting: Waiting;
  count: number;
  /** Monotonic. */
  retryAtMs: number;
}

/** Doubles from half a second to ten, jittered so that many pods do not come back in step. */
function retryDelayMs(count: number): number {
  return Math.min(500 * 2 ** (count - 1), 10_000) * (0.8 + Math.random() * 0.4);
}

function earliest(times: (number | undefined)[]): number | undefined {
  const known = times.filter((t) => t !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

const describe = (err: unknown): string => (err instanceof Error ? err.message : String(err));

/** What is under way is not what is wanted any more. */
class GoalChanged extends Error {
  override readonly name = 'GoalChanged';
}

function restartCounts(status: PodStatus | undefined): Map<string, number> {
  const { containerStatuses = [], initContainerStatuses = [] } = status ?? {};
  return new Map([...initContainerStatuses, ...containerStatuses].map((s) => [s.name, s.restartCount]));
}

function containerNames(pod: Pod): string[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers].map((c) => c.name);
}
