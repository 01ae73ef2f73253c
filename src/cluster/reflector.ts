/**
 * Keeps a copy of a collection of the API server: a list, then a watch from there (Kubernetes API concepts, "Efficient
 * detection of changes"). A watch that the server ends goes on where it was, helped by bookmarks. One that broke off
 * begins with a list again: the server may be another by then, or restored from an older backup. Failures are retried
 * with jitter for ever; meanwhile the copy stays as it was.
 */
import type { ListMeta, ObjectMeta, Status } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { type KubeClient, pause, type Query, retryDelayMs, type WatchEvent } from './client.ts';
import { ApiStatusError, hasStatus } from './errors.ts';

export interface KubeObject {
  metadata?: ObjectMeta;
}

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  path: string;
  /** Selectors. */
  query?: Query;
  /** Applied to each object as it comes, so that what nobody needs is not kept. */
  trim?(object: T): T;
  /** Whether an event tells nothing new, as what was written is known from the answer: no change by itself. */
  isKnown?(object: T): boolean;
  /**
   * After each list, and after every change, however many came at once. Keyed by namespace/name.
   * @param isList what was known before counts for nothing: versions may have begun anew
   */
  onChange(items: ReadonlyMap<string, T>, isList: boolean): void;
  /** How it goes: undefined when a list or a watch succeeded. */
  onHealth?(error: Error | undefined): void;
  log: Logger;
}

const objectKey = ({ metadata }: KubeObject): string =>
  `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;

/** Runs until the signal aborts. */
export async function reflect<T extends KubeObject>(
  options: ReflectorOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  const reflector = new Reflector(options);
  let failures = 0;
  while (!signal.aborted) {
    try {
      await reflector.listAndWatch(signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      // What a list makes good is no failure; a server that forgot much should not be asked by a whole fleet at once.
      if (hasStatus(error, 410) && failures === 1) {
        await pause(Math.random() * expiredMs, signal);
        continue;
      }
      options.onHealth?.(error as Error);
      const retryInMs = retryDelayMs(failures, error, backoff);
      options.log.debug({ err: error, path: options.path, retryInMs }, 'a watch failed');
      await options.client.untilRetry(retryInMs, signal);
    }
  }
}

class Reflector<T extends KubeObject> {
  readonly #o: ReflectorOptions<T>;
  #items = new Map<string, T>();

  constructor(options: ReflectorOptions<T>) {
    this.#o = options;
  }

  /**
   * Ends only by an error, after which a list is needed.
   * @param onSuccess a list alone is none: where no watch follows it would be asked for again and again
   */
  async listAndWatch(signal: AbortSignal, onSuccess: () => void): Promise<never> {
    let resourceVersion = await this.#list(signal);
    this.#o.onHealth?.(undefined);
    for (;;) {
      const startedMs = performance.now();
      const before = resourceVersion;
      try {
        resourceVersion = await this.#watch(resourceVersion, signal, onSuccess);
      } finally {
        if (performance.now() - startedMs >= longWatchMs) onSuccess();
      }
      // A server that ends watches at once would keep both of us busy with nothing.
      if (resourceVersion === before && performance.now() - startedMs < shortWatchMs)
        await pause(shortWatchMs, signal);
      signal.throwIfAborted();
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, path, query, trim, onChange } = this.#o;
    const items = new Map<string, T>();
    let resourceVersion = '';
    let next: string | undefined;
    do {
      const page = await client.get<{ metadata?: ListMeta; items?: T[] | null }>(path, signal, {
        ...query,
        limit: pageItems,
        continue: next,
      });
      for (const item of page.items ?? []) items.set(objectKey(item), trim?.(item) ?? item);
      resourceVersion = page.metadata?.resourceVersion ?? '';
      next = page.metadata?.continue || undefined;
    } while (next !== undefined);
    this.#items = items;
    onChange(items, true);
    return resourceVersion;
  }

  /** Returns the version from which to go on when the server ended the watch. */
  async #watch(from: string, signal: AbortSignal, onSuccess: () => void): Promise<string> {
    const { client, path, query, onChange } = this.#o;
    const timeoutSeconds = Math.ceil(watchSeconds * (1 + Math.random()));
    let resourceVersion = from;
    const events = client.watch<T>(
      path,
      { ...query, resourceVersion, allowWatchBookmarks: true },
      timeoutSeconds,
      signal,
    );
    for await (const batch of events) {
      let changed = false;
      for (const event of batch) {
        if (event.type === 'ERROR') throw watchError(event, path);
        resourceVersion = event.object.metadata?.resourceVersion ?? resourceVersion;
        if (event.type !== 'BOOKMARK') changed = this.#apply(event) || changed;
      }
      onSuccess();
      if (changed) onChange(this.#items, false);
    }
    return resourceVersion;
  }

  #apply({ type, object }: WatchEvent<T>): boolean {
    const { trim, isKnown } = this.#o;
    const key = objectKey(object);
    if (type === 'DELETED') return this.#items.delete(key);
    this.#items.set(key, trim?.(object) ?? object);
    return isKnown?.(object) !== true;
  }
}

const backoff = { initialMs: 500, maxMs: 30_000 };
const expiredMs = 1000;
const watchSeconds = 300;
const shortWatchMs = 1000;
/** One that lasted so long went well, also without an event. */
const longWatchMs = 10_000;
const pageItems = 500;

const watchError = ({ object }: WatchEvent<unknown>, path: string): ApiStatusError => {
  const status = object as Partial<Status>;
  return new ApiStatusError({ ...status, code: status.code ?? 500 }, `WATCH ${path}`);
};
