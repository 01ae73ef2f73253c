/** What a worker tells of its pod: the status, how far the pod has come and what it waits for, when it is news. */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Pod, PodStatus } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ProbeResults } from '../probes/results.ts';
import type { Plan } from './actions.ts';
import { type ActualPod, currentSandbox } from './actual.ts';
import type { Failures } from './failures.ts';
import { podUid } from './identity.ts';
import { type PodLifecycle, reachedLevel } from './lifecycle.ts';
import type { Intent } from './plan/input.ts';
import type { PodRecord } from './pod-record.ts';
import { podStatus } from './status.ts';
import { lastingProblem, waitingNow } from './waiting.ts';

export interface StatusReportOptions {
  /** A runtime that did not answer yet has another name than it will have. */
  runtime: Pick<Runtime, 'name'>;
  probes: ProbeResults;
  hostIps: () => readonly string[];
  qosClass: (pod: Pod) => string;
  pulledMs(uid: string): number;
  metrics: Pick<Metrics, 'observe'>;
  now: () => number;
  onStatus(pod: Pod, status: PodStatus): void;
  /** The pod has begun to wait for others, or waits for others than before. */
  onGate(pod: Pod, message: string): void;
}

/** What the worker knows of its pod at the moment. */
export interface PodView {
  record: PodRecord;
  actual: ActualPod;
  failures: Pick<Failures, 'waiting' | 'lasting'>;
  terminationMessages: ReadonlyMap<string, string>;
  /** With the goal `unconfigured`: all of the pod was taken off the machine. */
  isCleared: boolean;
}

export class StatusReport {
  readonly #o: StatusReportOptions;
  #told = '';
  #waitsFor: readonly string[] = [];

  constructor(options: StatusReportOptions) {
    this.#o = options;
  }

  /** Other pods or parts of the ROS graph. */
  get waitsFor(): readonly string[] {
    return this.#waitsFor;
  }

  /** Only containers that are held back by it wait for the gate. */
  noteGate(pod: Pod, intent: Intent, next: Plan): void {
    const gate = intent.kind === 'run' ? intent.gate : undefined;
    const before = this.#waitsFor.join();
    this.#waitsFor = gate !== undefined && [...next.waiting.values()].includes(gate) ? gate.unmet : [];
    if (gate !== undefined && this.#waitsFor.length > 0 && this.#waitsFor.join() !== before)
      this.#o.onGate(pod, gate.message);
  }

  /**
   * Puts the status, and how far the pod has come, into the record. `next`: the plan, while there is something to plan.
   * Returns whether the record must be saved for it.
   */
  publish(view: PodView, next: Plan | undefined): boolean {
    const { record } = view;
    const before = record.status;
    const status = this.#status(view, next);
    if (status.phase === 'Running' && (before?.phase ?? 'Pending') === 'Pending') this.#measureStart(record);
    record.status = status;
    const becameActive = noteReached(view, next, status);
    this.#tell(view, status);
    return becameActive;
  }

  #measureStart({ pod, firstSeenMs }: PodRecord): void {
    const { metrics, now, pulledMs } = this.#o;
    const secondsSince = (ms: number) => Math.max(now() - ms, 0) / 1000;
    metrics.observe('kubelet_pod_start_duration_seconds', secondsSince(firstSeenMs), {});
    const createdMs = Date.parse(pod.metadata?.creationTimestamp ?? '') || firstSeenMs;
    metrics.observe('kubelet_pod_start_total_duration_seconds', secondsSince(createdMs), {});
    const withoutPulls = secondsSince(createdMs + pulledMs(podUid(pod)));
    metrics.observe('kubelet_pod_start_sli_duration_seconds', withoutPulls, {});
  }

  /** As of the last status; undefined before the first of this life of the agent. */
  lifecycle({ record, failures }: Pick<PodView, 'record' | 'failures'>): PodLifecycle | undefined {
    if (this.#told === '') return undefined;
    const { ended, goal = 'active', reached = 'unconfigured', removing, stop, status } = record;
    const problem = lastingProblem(failures.lasting(), status);
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

  #status({ record, actual, failures, terminationMessages }: PodView, next: Plan | undefined): PodStatus {
    const { runtime, probes, hostIps, qosClass, now } = this.#o;
    return podStatus({
      pod: record.pod,
      actual,
      runtimeName: runtime.name,
      probes,
      waiting: waitingNow(failures.waiting(), next, record.status),
      terminationMessages,
      previous: record.status,
      startTime: time(record.firstSeenMs),
      hostIps: hostIps(),
      qosClass: qosClass(record.pod),
      ...(record.verdict === undefined ? {} : { verdict: record.verdict }),
      ended: record.ended,
      ...(record.resize === undefined ? {} : { resize: record.resize }),
      nowMs: now(),
    });
  }

  #tell({ record, failures }: PodView, status: PodStatus): void {
    const { goal, reached, stop, ended } = record;
    const problem = lastingProblem(failures.lasting(), status);
    const text = JSON.stringify([status, goal, reached, stop !== undefined, ended, problem]);
    if (text === this.#told) return;
    this.#told = text;
    this.#o.onStatus(record.pod, status);
  }
}

/** Returns whether the pod became active just now: that cannot be seen later while it is just not ready. */
function noteReached(
  { record, actual, isCleared }: PodView,
  next: Plan | undefined,
  status: PodStatus,
): boolean {
  if (next === undefined || record.stop !== undefined) return false;
  const before = record.reached ?? 'unconfigured';
  record.reached = reachedLevel({
    before,
    goal: record.goal ?? 'active',
    plan: next,
    hasSandbox: currentSandbox(actual) !== undefined,
    hasContainers: actual.containers.length > 0,
    isCleared,
    status,
  });
  return record.reached === 'active' && before !== 'active';
}
