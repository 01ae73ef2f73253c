/**
 * The record of one pod with its copy on disk, and the end of its grace. What is counted from a wall clock time moves
 * along with a clock that was set; the grace is counted on the monotonic clock, which nobody sets.
 */
import type { Logger } from '../log.ts';
import { ClockSteps } from './clock-steps.ts';
import type { PodRecord } from './pod-record.ts';

export interface RecordKeeperOptions {
  /** It is on disk already. */
  isSaved: boolean;
  /** The record must be on disk before the promise resolves. */
  save(record: PodRecord): Promise<void>;
  /** Epoch. */
  now(): number;
  monotonicMs(): number;
  log: Logger;
}

export class RecordKeeper {
  readonly record: PodRecord;
  readonly #o: RecordKeeperOptions;
  readonly #clock: ClockSteps;
  #isSaved: boolean;
  /** Monotonic. */
  #stopDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(record: PodRecord, options: RecordKeeperOptions) {
    this.record = record;
    this.#o = options;
    this.#isSaved = options.isSaved;
    this.#clock = new ClockSteps(options.now, options.monotonicMs);
    if (record.stop !== undefined) {
      // A grace that an earlier life of the agent began goes on; a clock that was set cannot make it longer.
      const leftMs = Math.min(Math.max(record.stop.deadlineMs - options.now(), 0), record.stop.graceMs);
      this.#stopDeadlineMs = options.monotonicMs() + leftMs;
    }
  }

  /** What is left of the pod's grace; infinite while it is not being taken down. */
  get graceLeftMs(): number {
    return Math.max(this.#stopDeadlineMs - this.#o.monotonicMs(), 0);
  }

  /**
   * Until the pod is late with its end; infinite while it is not being taken down. As the kubelet reckons it: half
   * the grace again, and ten seconds at least in all, for what takes it down.
   */
  get lateInMs(): number {
    const graceMs = this.record.stop?.graceMs ?? 0;
    return this.#stopDeadlineMs + Math.max(graceMs / 2, 10_000 - graceMs) - this.#o.monotonicMs();
  }

  stopWithin(graceMs: number): void {
    this.#stopDeadlineMs = this.#o.monotonicMs() + graceMs;
    this.record.stop = { graceMs, deadlineMs: this.#o.now() + graceMs };
    this.#isSaved = false;
  }

  /** To be called when the record was changed. */
  changed(): void {
    this.#isSaved = false;
  }

  /** Before every sync. */
  async catchUp(): Promise<void> {
    const stepMs = this.#clock.take();
    if (stepMs !== 0) {
      this.record.firstSeenMs += stepMs;
      if (this.record.stop !== undefined) this.record.stop.deadlineMs += stepMs;
      this.#isSaved = false;
    }
    if (!this.#isSaved) await this.save();
  }

  /** A pod is supervised also when nothing can be written; the record is tried again at the next sync. */
  async save(): Promise<void> {
    this.#isSaved = true;
    try {
      await this.#o.save(this.record);
    } catch (err) {
      this.#isSaved = false;
      this.#o.log.error(
        { err },
        'the record of the pod cannot be kept; a restart of the agent may not know of it',
      );
    }
  }

  /** Keeps the goal before anybody sees it. */
  async saveGoal(goal: NonNullable<PodRecord['goal']>): Promise<void> {
    try {
      await this.#o.save({ ...this.record, goal });
    } catch (err) {
      this.#o.log.error(
        { err, goal },
        'the goal of the pod cannot be kept; a restart of the agent may not know of it',
      );
    }
    this.record.goal = goal;
    this.#isSaved = false;
  }
}
