/**
 * The resize of one pod, from the admission of other resources until they are applied: what its record keeps of it, and
 * another try when one failed. What is to be resized is the plan's, how the resizer's.
 */
import { messageOf } from '../error-message.ts';
import type { ActualPod } from './actual.ts';
import type { PodEffects } from './effects.ts';
import { retryDelayMs } from './failures.ts';
import type { RecordKeeper } from './record-keeper.ts';
import {
  isWhollyApplied,
  type PodResize,
  resizableContainers,
  resourcesText,
  withApplied,
} from './resize.ts';

export interface ResizingOptions {
  keeper: RecordKeeper;
  effects: Pick<PodEffects, 'resize' | 'reportResized'>;
  now(): number;
  monotonicMs(): number;
  /** What a resize gave back is free for others. */
  onResized(): void;
}

type Refused = Pick<NonNullable<PodResize['pending']>, 'reason' | 'message'>;

export class Resizing {
  readonly #o: ResizingOptions;
  /** After a try that failed; on the monotonic clock. */
  #retry: { count: number; atMs: number } | undefined;

  constructor(options: ResizingOptions) {
    this.#o = options;
  }

  /** When another try is due, on the monotonic clock; undefined: at once. */
  get retryAtMs(): number | undefined {
    const atMs = this.#retry?.atMs ?? 0;
    return atMs > this.#o.monotonicMs() ? atMs : undefined;
  }

  /** Other resources are allocated to the pod. */
  begin(generation: number): void {
    const { record } = this.#o.keeper;
    const made = resizableContainers(record.pod).map((each) => [each.name, resourcesText(each)]);
    record.madeWith ??= Object.fromEntries(made);
    record.resize = { inProgress: { generation, sinceMs: this.#o.now() } };
    this.#o.keeper.changed();
    this.#retry = undefined;
  }

  /** Returns whether that is something new. `why`: undefined when nothing is refused. */
  setPending(why: Refused | undefined): boolean {
    const { record } = this.#o.keeper;
    const { pending, inProgress } = record.resize ?? {};
    const generation = record.pod.metadata?.generation ?? 0;
    const isSame =
      pending?.reason === why?.reason &&
      pending?.message === why?.message &&
      (why === undefined || pending?.generation === generation);
    if (isSame) return false;
    const sinceMs = pending !== undefined && pending.reason === why?.reason ? pending.sinceMs : this.#o.now();
    record.resize = {
      ...(why === undefined ? {} : { pending: { ...why, generation, sinceMs } }),
      ...(inProgress === undefined ? {} : { inProgress }),
    };
    this.#o.keeper.changed();
    return true;
  }

  /** Returns the pod as it is after it. */
  async run(names: readonly string[], actual: ActualPod, signal: AbortSignal): Promise<ActualPod> {
    const { keeper, effects } = this.#o;
    const { record } = keeper;
    const { pod } = record;
    const there = new Set(actual.containers.map(({ id }) => id));
    record.applied = Object.fromEntries(Object.entries(record.applied ?? {}).filter(([id]) => there.has(id)));
    // At once: the next one may never be reached, and the resources that are desired may be others by then.
    const onApplied = async (id: string, resources: string) => {
      record.applied = { ...record.applied, [id]: resources };
      await keeper.save();
    };
    let error: string | undefined;
    try {
      await effects.resize({ pod, actual, names, onApplied }, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      error = messageOf(err);
    }
    const after = withApplied(actual, record);
    // Meanwhile something else may have been allocated.
    if (record.pod === pod) this.#note(error, after);
    await keeper.save();
    return after;
  }

  #note(error: string | undefined, actual: ActualPod): void {
    const { record } = this.#o.keeper;
    const { pod, resize } = record;
    if (error !== undefined) {
      const count = (this.#retry?.count ?? 0) + 1;
      this.#retry = { count, atMs: this.#o.monotonicMs() + retryDelayMs(count) };
      const generation = pod.metadata?.generation ?? 0;
      const inProgress = resize?.inProgress ?? { generation, sinceMs: this.#o.now() };
      record.resize = { ...resize, inProgress: { ...inProgress, error } };
      return;
    }
    this.#retry = undefined;
    if (resize?.inProgress === undefined || !isWhollyApplied(pod, actual)) return;
    record.resize = resize.pending === undefined ? {} : { pending: resize.pending };
    this.#o.effects.reportResized(pod);
    this.#o.onResized();
  }
}
