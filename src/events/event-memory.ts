/**
 * Keeps events on disk for the next life of the agent, where nobody else keeps them. Bounded, and easy on flash: what is
 * new since the last write becomes one small record, at most every ten seconds but for warnings; when there are many
 * records, one with all that still counts takes their place. A record is whole or not there (store.ts).
 */
import type { Event } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';

export interface EventMemoryOptions {
  store: Store;
  /** Epoch. */
  nowMs(): number;
  monotonicMs(): number;
  log: Logger;
}

export class EventMemory {
  readonly #o: EventMemoryOptions;
  /** What counts, by uid; the one that was repeated longest ago first. */
  readonly #events = new Map<string, Event>();
  readonly #unsaved = new Set<string>();
  /** Of the records on disk, oldest first. */
  #keys: string[] = [];
  #timer: { handle: NodeJS.Timeout; atMs: number } | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(options: EventMemoryOptions) {
    this.#o = options;
  }

  /** What earlier lives of the agent told and is not too old, least recently repeated first. */
  async load(): Promise<Event[]> {
    const records = await this.#o.store.load(kind, isEvents);
    const sorted = records.sort((a, b) => Number(a.key) - Number(b.key));
    this.#keys = sorted.map(({ key }) => key);
    for (const event of sorted.flatMap(({ value }) => value)) this.#remember(event);
    this.#forgetOld();
    return [...this.#events.values()];
  }

  /** To be written soon. */
  note(event: Event): void {
    this.#remember(event);
    this.#unsaved.add(uidOf(event));
    this.#forgetOld();
    const nowMs = this.#o.monotonicMs();
    const restMs = event.type === 'Warning' ? 0 : this.#savedMs + restingMs - nowMs;
    this.#saveIn(Math.max(restMs, gatheringMs));
  }

  /** Writes what was not written yet. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer?.handle);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#save());
    await this.#saving;
  }

  #remember(event: Event): void {
    // Deleting first moves it to the end.
    this.#events.delete(uidOf(event));
    this.#events.set(uidOf(event), event);
  }

  #forgetOld(): void {
    const sinceMs = this.#o.nowMs() - timeToLiveMs;
    for (const [uid, event] of this.#events) {
      if (this.#events.size <= maxEvents && Date.parse(event.lastTimestamp ?? '') >= sinceMs) break;
      this.#events.delete(uid);
      this.#unsaved.delete(uid);
    }
  }

  #saveIn(ms: number): void {
    const atMs = this.#o.monotonicMs() + ms;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    clearTimeout(this.#timer?.handle);
    this.#timer = { handle: setTimeout(() => void this.flush(), ms).unref(), atMs };
  }

  async #save(): Promise<void> {
    const isFull = this.#keys.length >= maxRecords;
    const uids = [...(isFull ? this.#events.keys() : this.#unsaved)];
    if (this.#unsaved.size === 0) return;
    this.#unsaved.clear();
    const events = uids.flatMap((uid) => this.#events.get(uid) ?? []);
    const key = `${Number(this.#keys.at(-1) ?? 0) + 1}`;
    try {
      await this.#o.store.put(kind, key, events);
      const replaced = isFull ? this.#keys : [];
      this.#keys = [...this.#keys.slice(replaced.length), key];
      // Those that stay in spite of it tell nothing else.
      for (const old of replaced) await this.#o.store.delete(kind, old);
      this.#isFailing = false;
    } catch (err) {
      for (const uid of uids) if (this.#events.has(uid)) this.#unsaved.add(uid);
      if (!this.#isFailing)
        this.#o.log.warn(
          { err },
          'events cannot be kept on disk; a restart of the agent may not know of them',
        );
      this.#isFailing = true;
      this.#saveIn(restingMs);
    }
    this.#savedMs = this.#o.monotonicMs();
  }
}

const kind = 'events';

/** As long as the API server of a cluster keeps an event (its default `--event-ttl`). */
const timeToLiveMs = 3_600_000;
const maxEvents = 500;
const maxRecords = 32;

/** What comes with an event is written with it. */
const gatheringMs = 1000;
const restingMs = 10_000;

const uidOf = ({ metadata }: Event): string => metadata.uid ?? metadata.name ?? '';

/** Of what is used of them on the way to those who ask. */
const isEvents = (value: unknown): value is Event[] =>
  Array.isArray(value) &&
  value.every(
    (each) => typeof each?.metadata?.name === 'string' && typeof each.involvedObject?.kind === 'string',
  );
