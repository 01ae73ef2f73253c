/**
 * The config maps and secrets that pods of this node use, and no others: each is watched by itself, as a node may not
 * see more. A copy of each is kept on disk, readable by root alone, so that pods start again while the API server is
 * out of reach; also that one was not there, as it may be optional. Those of manifest files come first.
 */
import type { ConfigMap, Pod, Secret } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { usedObjects } from '../pods/references.ts';
import type { ObjectReader, ObjectRef } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import { apiPath, type KubeClient } from './client.ts';
import { reflect } from './reflector.ts';

export interface UsedObjectsOptions {
  client: KubeClient;
  /** Of manifest files. */
  local: ObjectReader;
  store: Store;
  log: Logger;
}

type StoredObject = ConfigMap | Secret;
type KeyedRef = readonly [key: string, ref: ObjectRef];

export class UsedObjects implements ObjectReader {
  readonly #o: UsedObjectsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(ref: ObjectRef) => void>();
  readonly #kept = new Map<string, Kept>();
  /** By pods, which are another object when they changed. */
  readonly #refs = new WeakMap<Pod, readonly KeyedRef[]>();
  readonly #signal: AbortSignal;

  /** @param signal ends all watches */
  constructor(options: UsedObjectsOptions, signal: AbortSignal) {
    this.#o = options;
    this.#signal = signal;
  }

  async load(): Promise<void> {
    const records = await this.#o.store.load<Kept>(recordKind);
    for (const { key, value } of records) this.#kept.set(key, value);
  }

  /** All pods whose objects are needed. What no pod uses any more is forgotten, on disk too. */
  setPods(pods: readonly Pod[]): void {
    const wanted = new Map(pods.flatMap((pod) => this.#refsOf(pod)));
    for (const ref of wanted.values()) this.#entry(ref);
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key)) continue;
      entry.ending.abort();
      this.#entries.delete(key);
    }
    for (const key of this.#kept.keys()) if (!wanted.has(key)) this.#forget(key);
  }

  #refsOf(pod: Pod): readonly KeyedRef[] {
    const refs = this.#refs.get(pod) ?? usedObjects(pod).map((ref): KeyedRef => [keyOf(ref), ref]);
    this.#refs.set(pod, refs);
    return refs;
  }

  async configMap(namespace: string, name: string, signal?: AbortSignal): Promise<ConfigMap | undefined> {
    const local = await this.#o.local.configMap(namespace, name, signal);
    return local ?? this.#read({ kind: 'ConfigMap', namespace, name }, signal);
  }

  async secret(namespace: string, name: string, signal?: AbortSignal): Promise<Secret | undefined> {
    const local = await this.#o.local.secret(namespace, name, signal);
    return local ?? this.#read({ kind: 'Secret', namespace, name }, signal);
  }

  onObjectChange(listener: (ref: ObjectRef) => void): () => void {
    const unsubscribe = this.#o.local.onObjectChange(listener);
    this.#listeners.add(listener);
    return () => {
      unsubscribe();
      this.#listeners.delete(listener);
    };
  }

  async #read(ref: ObjectRef, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const key = keyOf(ref);
    const entry = this.#entry(ref);
    const kept = this.#kept.get(key);
    await untilRead(entry, kept === undefined ? firstReadMs : firstReadWithCopyMs, signal);
    if (entry.isRead) return entry.object;
    if (kept !== undefined) return kept.object;
    const why = entry.error?.message ?? 'the API server has not answered yet';
    throw new Error(`failed to get ${ref.kind} ${ref.namespace}/${ref.name}: ${why}`, { cause: entry.error });
  }

  #entry(ref: ObjectRef): Entry {
    const key = keyOf(ref);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      openedAtMs: performance.now(),
      isRead: false,
      ending: new AbortController(),
      waiting: new Set(),
    };
    this.#entries.set(key, entry);
    const end = () => entry.ending.abort();
    this.#signal.addEventListener('abort', end, { once: true });
    if (this.#signal.aborted) end();
    void reflect<StoredObject>(
      {
        client: this.#o.client,
        path: apiPath({ resource: plurals[ref.kind], namespace: ref.namespace }),
        query: { fieldSelector: `metadata.name=${ref.name}` },
        trim: ({ metadata, ...content }) => ({
          ...content,
          metadata: {
            name: ref.name,
            namespace: ref.namespace,
            ...(metadata?.uid ? { uid: metadata.uid } : {}),
          },
        }),
        onChange: (items) => this.#changed(ref, entry, [...items.values()][0]),
        onHealth: (error) => {
          entry.error = error;
        },
        log: this.#o.log,
      },
      entry.ending.signal,
    ).finally(() => this.#signal.removeEventListener('abort', end));
    return entry;
  }

  #changed(ref: ObjectRef, entry: Entry, object: StoredObject | undefined): void {
    const isFirst = !entry.isRead;
    const before = entry.object;
    entry.isRead = true;
    entry.object = object;
    for (const wake of entry.waiting) wake();
    if (isSame(before, object) && !isFirst) return;
    const key = keyOf(ref);
    const kept = this.#kept.get(key);
    if (kept === undefined || !isSame(kept.object, object)) {
      const record: Kept = object === undefined ? { ref } : { ref, object };
      this.#kept.set(key, record);
      this.#o.store.put(recordKind, key, record).catch((err: unknown) => {
        this.#o.log.error({ err }, `cannot keep ${key}; a reboot without the API server would not have it`);
      });
    }
    if (!isFirst || object !== undefined) for (const listener of this.#listeners) listener(ref);
  }

  #forget(key: string): void {
    if (!this.#kept.delete(key)) return;
    this.#o.store.delete(recordKind, key).catch((err: unknown) => {
      this.#o.log.error({ err }, `cannot remove ${key} from the disk`);
    });
  }
}

/** Without an object: the API server had none. */
interface Kept {
  ref: ObjectRef;
  object?: StoredObject;
}

interface Entry {
  /** Monotonic. */
  openedAtMs: number;
  isRead: boolean;
  object?: StoredObject | undefined;
  error?: Error | undefined;
  ending: AbortController;
  /** Called when it was read. */
  waiting: Set<() => void>;
}

const recordKind = 'cluster-objects';
const plurals = { ConfigMap: 'configmaps', Secret: 'secrets' } as const;

/** What is asked for the first time may be refused for a moment, until the API server knows that the pod is ours. */
const firstReadMs = 10_000;
/** With a copy on disk a pod does not wait long for an API server that may be out of reach, and only once. */
const firstReadWithCopyMs = 1500;

const keyOf = ({ kind, namespace, name }: ObjectRef): string => `${kind} ${namespace}/${name}`;

const isSame = (a: StoredObject | undefined, b: StoredObject | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** @param ms since the first that asked */
function untilRead(entry: Entry, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const leftMs = entry.openedAtMs + ms - performance.now();
  if (entry.isRead || leftMs <= 0) return Promise.resolve();
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      entry.waiting.delete(done);
      signal?.removeEventListener('abort', abort);
    };
    const done = () => {
      end();
      resolve();
    };
    const abort = () => {
      end();
      reject(signal?.reason);
    };
    const timer = setTimeout(done, leftMs);
    entry.waiting.add(done);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
