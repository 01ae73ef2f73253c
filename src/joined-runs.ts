import { untilAborted } from './until-aborted.ts';

/** One run of some work for all who ask for the same at the same time. It goes on as long as anyone waits for it. */
export class JoinedRuns<T> {
  readonly #running = new Map<string, Run<T>>();

  /** Does the work, or joins the run with the same key. */
  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, work);
    shared.waiters += 1;
    try {
      return await untilAborted(shared.result, signal);
    } finally {
      shared.waiters -= 1;
      if (shared.waiters === 0) {
        this.#forget(key, shared);
        shared.controller.abort();
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Run<T> {
    const controller = new AbortController();
    const shared: Run<T> = { controller, waiters: 0, result: work(controller.signal) };
    this.#running.set(key, shared);
    const forget = () => this.#forget(key, shared);
    shared.result.then(forget, forget);
    return shared;
  }

  #forget(key: string, shared: Run<T>): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }
}

interface Run<T> {
  controller: AbortController;
  waiters: number;
  result: Promise<T>;
}
