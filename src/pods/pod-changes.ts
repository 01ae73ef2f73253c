/** Tells those who look at pods of every change of one. */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid } from './identity.ts';

export type PodChange = { type: 'changed' | 'gone'; pod: Pod };

export class PodChanges {
  readonly #log: Logger;
  readonly #listeners = new Set<(change: PodChange) => void>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: (change: PodChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(type: PodChange['type'], pod: Pod): void {
    for (const listener of this.#listeners) {
      // Who only looks must not keep a pod from being supervised.
      try {
        listener({ type, pod });
      } catch (err) {
        this.#log.error({ err, podUid: podUid(pod) }, 'a change of a pod could not be told');
      }
    }
  }
}
