/**
 * When what is left of pods that are gone is taken out of the runtimes and off the disk. Nobody waits for it, and it keeps
 * an engine busy (containerd with its database and file systems, about as long as the stop of the pod did): so it is done
 * for one pod of a runtime after the other, and not while others are started or stopped. Not put off for ever, though, and
 * one that hangs (on a mount whose server is gone) lets the next begin after a while.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Semaphore, semaphore } from '../semaphore.ts';
import type { RuntimeKind } from './runtimes.ts';

export class Removals {
  readonly #nowMs: () => number;
  readonly #turns: Readonly<Record<RuntimeKind, Semaphore>> = { process: semaphore(1), cri: semaphore(1) };
  #underWay = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;

  /** @param monotonicMs the time */
  constructor(monotonicMs: () => number) {
    this.#nowMs = monotonicMs;
  }

  /** For as long as the work takes, and a moment longer, removals wait. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      this.#lastEndMs = this.#nowMs();
    }
  }

  /** Runs the removal in its turn. @throws what it throws, or the signal's reason */
  async run(kind: RuntimeKind, removal: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const askedMs = this.#nowMs();
    const release = await this.#turns[kind](signal);
    let turn: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        const nowMs = this.#nowMs();
        const busyUntilMs = this.#underWay > 0 ? nowMs + quietMs : this.#lastEndMs + quietMs;
        const waitMs = removalWaitMs({ nowMs, askedMs, busyUntilMs });
        if (waitMs <= 0) break;
        await delay(waitMs, undefined, { signal });
      }
      turn = setTimeout(release, longestTurnMs).unref();
      await removal();
    } finally {
      clearTimeout(turn);
      release();
    }
  }
}

/** How long a removal that was asked for then has still to wait. */
export function removalWaitMs(at: { nowMs: number; askedMs: number; busyUntilMs: number }): number {
  return Math.max(Math.min(at.busyUntilMs, at.askedMs + mostWaitMs) - at.nowMs, 0);
}

/** Pods that come and go together do so with pauses between their steps. */
const quietMs = 300;
const mostWaitMs = 10_000;

/** Far longer than a removal takes on a busy machine. */
const longestTurnMs = 30_000;
