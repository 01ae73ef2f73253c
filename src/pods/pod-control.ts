/** What is asked of single pods that are on the node: by the node itself, over ROS, on the command line. */
import type { Pod } from '../api/core.gen.ts';
import { longestTimerMs } from '../timers.ts';
import type { LifecycleLevel } from './lifecycle.ts';
import type { Verdict } from './pod-record.ts';
import type { PodWorker } from './worker.ts';

export interface PodControlOptions {
  worker(uid: string): PodWorker | undefined;
  /** Why a pod that takes no room so far may have none; undefined: it may. */
  whyNoRoom(pod: Pod): string | undefined;
}

export interface Eviction {
  uid: string;
  verdict: Verdict;
  graceSeconds: number;
}

type GoalAnswer = { accepted: true } | { accepted: false; message: string };

/** What taking down a pod may take beside its grace. */
const evictionSlackMs = 5000;

const goneMessage = 'the pod is going down or gone';

export class PodControl {
  readonly #o: PodControlOptions;

  constructor(options: PodControlOptions) {
    this.#o = options;
  }

  /** Ends a pod on this node for a reason of the node's, for good. Resolves when it is down, or its time is over. */
  async evict({ uid, verdict, graceSeconds }: Eviction, signal: AbortSignal): Promise<void> {
    const worker = this.#o.worker(uid);
    if (worker === undefined) return;
    worker.stop({ graceSeconds, remove: false, verdict });
    const limit = AbortSignal.timeout(Math.min(graceSeconds * 1000 + evictionSlackMs, longestTimerMs));
    await until(worker.ended, AbortSignal.any([signal, limit]));
  }

  /**
   * How far a pod is to be brought up from now on. It belongs to the pod of this uid, whatever its manifest says later,
   * and ends with it; that the pod is to go always comes first.
   */
  async setLifecycleGoal(uid: string, goal: LifecycleLevel): Promise<GoalAnswer> {
    const worker = this.#o.worker(uid);
    if (worker === undefined || worker.record.stop !== undefined) {
      return { accepted: false, message: goneMessage };
    }
    if (goal !== 'unconfigured' && !occupiesNode(worker)) {
      const message = this.#o.whyNoRoom(worker.pod);
      if (message !== undefined) return { accepted: false, message };
    }
    await worker.setGoal(goal);
    return { accepted: true };
  }

  /** Ends a pod for good while it stays desired: until its manifest changes, or is removed. */
  finalize(uid: string): void {
    const message = 'The pod was shut down over ROS; change its manifest to start it anew';
    const verdict: Verdict = { phase: 'Succeeded', reason: 'Shutdown', message };
    this.#o.worker(uid)?.stop({ remove: false, verdict });
  }

  /** Starts containers of a pod anew: those that are named, or all but init containers. */
  restart(uid: string, containers?: readonly string[]): { success: boolean; message: string } {
    const worker = this.#o.worker(uid);
    if (worker === undefined || worker.record.stop !== undefined) {
      return { success: false, message: goneMessage };
    }
    const { goal = 'active' } = worker.record;
    if (goal !== 'active') return { success: false, message: `the pod is to be ${goal}: activate it first` };
    worker.update(worker.pod, containers ?? worker.pod.spec?.containers.map((c) => c.name) ?? []);
    return { success: true, message: '' };
  }
}

/** Whether something of the pod is, or will be, on the machine. */
export const occupiesNode = ({ record }: Pick<PodWorker, 'record'>): boolean =>
  (record.goal ?? 'active') !== 'unconfigured' || (record.reached ?? 'unconfigured') !== 'unconfigured';

/** Also resolves when the signal aborts. */
function until(event: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    void event.then(resolve);
  });
}
