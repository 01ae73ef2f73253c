/**
 * Volumes of a running pod that follow their source: rendered anew when that changed, and again where it failed or was
 * cut short. One that cannot be rendered keeps what it shows; the pod is supervised all the same.
 */
import type { Pod } from '../api/core.gen.ts';
import type { ActualPod } from './actual.ts';
import type { PodEffects } from './effects.ts';
import { retryDelayMs } from './failures.ts';

export interface LiveVolumesOptions {
  effects: Pick<PodEffects, 'refreshVolumes' | 'reportSyncError'>;
  monotonicMs(): number;
}

export class LiveVolumes {
  readonly #o: LiveVolumesOptions;
  /** Monotonic; undefined: they show what there is. */
  #dueMs: number | undefined;
  #failed = 0;

  constructor(options: LiveVolumesOptions) {
    this.#o = options;
  }

  /** What they show may have changed: whatever failed before, they are rendered at the next chance. */
  changed(): void {
    this.#dueMs = 0;
  }

  /** Returns when another try is due, on the monotonic clock; undefined: after a change. */
  async refresh(pod: Pod, actual: ActualPod, signal: AbortSignal): Promise<number | undefined> {
    const dueMs = this.#dueMs;
    if (dueMs === undefined || dueMs > this.#o.monotonicMs()) return dueMs;
    // A change that comes while they are rendered asks for another time.
    this.#dueMs = undefined;
    try {
      await this.#o.effects.refreshVolumes(pod, actual, signal);
      this.#failed = 0;
    } catch (err) {
      if (signal.aborted) {
        this.changed();
        throw err;
      }
      this.#failed += 1;
      this.#dueMs ??= this.#o.monotonicMs() + retryDelayMs(this.#failed);
      this.#o.effects.reportSyncError(pod, err);
    }
    return this.#dueMs;
  }
}
