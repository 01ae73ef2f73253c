/** Kills under way, in the background: a container that takes its grace must not hold up the others. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { Action } from './actions.ts';

export type Kill = Extract<Action, { do: 'killContainer' }>;

export interface KillsOptions {
  /** Ends the container within the grace of the kill. */
  run(kill: Kill, signal: AbortSignal): Promise<void>;
  /** After each kill that was not replaced by a sooner one; a failed one may be begun anew from then on. */
  onEnd(): void;
  monotonicMs(): number;
  log: Logger;
}

/** A kill that is under way is begun anew only for an end that is sooner by more than that. */
const deadlineSlackMs = 100;

const killRetryMs = 1000;

interface UnderWay {
  /** Monotonic. */
  deadlineMs: number;
  controller: AbortController;
}

export class Kills {
  /** By container id. */
  readonly #underWay = new Map<string, UnderWay>();
  readonly #o: KillsOptions;

  constructor(options: KillsOptions) {
    this.#o = options;
  }

  /** Does nothing for a container whose kill is under way and as soon. */
  begin(kill: Kill): void {
    const running = this.#underWay.get(kill.containerId);
    const deadlineMs = this.#o.monotonicMs() + kill.graceMs;
    if (running !== undefined && running.deadlineMs <= deadlineMs + deadlineSlackMs) return;
    running?.controller.abort();
    const entry = { deadlineMs, controller: new AbortController() };
    this.#underWay.set(kill.containerId, entry);
    void this.#run(kill, entry);
  }

  /** Leaves the containers to whoever takes care of them next. */
  abort(): void {
    for (const { controller } of this.#underWay.values()) controller.abort();
  }

  async #run(kill: Kill, entry: UnderWay): Promise<void> {
    const { signal } = entry.controller;
    try {
      await this.#o.run(kill, signal);
    } catch (err) {
      if (signal.aborted) return;
      this.#o.log.warn({ err, container: kill.name }, 'container could not be stopped, will be retried');
      await delay(killRetryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
    if (this.#underWay.get(kill.containerId) === entry) this.#underWay.delete(kill.containerId);
    this.#o.onEnd();
  }
}
