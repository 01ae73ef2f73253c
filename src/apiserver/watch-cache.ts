/**
 * The objects as clients see them now, and what changed lately, so that a list and a watch that starts at its
 * resourceVersion miss nothing in between (the Kubernetes API's "efficient detection of changes"). In memory only:
 * after a restart every older watch is told 410 Expired and its client lists anew.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../server/errors.ts';
import type { ResourceName, ResourceTypes } from './resources.ts';
import { objectKey } from './resources.ts';

export interface CacheChange<R extends ResourceName = ResourceName> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: ResourceTypes[R];
  /** The object before, for selectors that it may have come to match or to miss. */
  previous: ResourceTypes[R] | undefined;
  revision: number;
}

type Listener<R extends ResourceName> = (change: CacheChange<R>) => void;

interface Shelf<R extends ResourceName> {
  objects: Map<string, ResourceTypes[R]>;
  history: CacheChange<R>[];
  /** Changes after this revision are in `history`. */
  historyStart: number;
  listeners: Set<Listener<R>>;
}

export interface WatchCache {
  get<R extends ResourceName>(resource: R, key: string): ResourceTypes[R] | undefined;
  list<R extends ResourceName>(resource: R): ResourceTypes[R][];
  revision(): number;
  /** Puts the object under a new resourceVersion and tells the watchers; an unchanged one is left as it was. */
  upsert<R extends ResourceName>(resource: R, object: ResourceTypes[R]): ResourceTypes[R];
  remove<R extends ResourceName>(resource: R, key: string): ResourceTypes[R] | undefined;
  /**
   * Calls the listener with each change after `fromRevision`, those of the past before this returns.
   * @throws ApiError Expired when they are not known any more
   */
  watch<R extends ResourceName>(resource: R, fromRevision: number, listener: Listener<R>): () => void;
}

/** `nextRevision` gives ever larger numbers; `revision` the last one given. */
export function createWatchCache(
  revisions: { current(): number; next(): number },
  historyLimit = 500,
): WatchCache {
  const start = revisions.current();
  const shelf = <R extends ResourceName>(): Shelf<R> => ({
    objects: new Map(),
    history: [],
    historyStart: start,
    listeners: new Set(),
  });
  const shelves: { [R in ResourceName]: Shelf<R> } = {
    pods: shelf(),
    configmaps: shelf(),
    secrets: shelf(),
    events: shelf(),
    nodes: shelf(),
    namespaces: shelf(),
  };
  const shelfOf = <R extends ResourceName>(resource: R): Shelf<R> => shelves[resource] as unknown as Shelf<R>;

  function publish<R extends ResourceName>(resource: R, change: CacheChange<R>): void {
    const { history, listeners } = shelfOf(resource);
    history.push(change);
    if (history.length > historyLimit) shelfOf(resource).historyStart = history.shift()?.revision ?? 0;
    for (const listener of [...listeners]) listener(change);
  }

  return {
    get: (resource, key) => shelfOf(resource).objects.get(key),
    list: (resource) => {
      const { objects } = shelfOf(resource);
      return [...objects.keys()].sort().map((key) => objects.get(key)!);
    },
    revision: () => revisions.current(),
    upsert: (resource, object) => {
      const { objects } = shelfOf(resource);
      const key = objectKey(object);
      const previous = objects.get(key);
      if (previous && isDeepStrictEqual(withRevision(object, previous.metadata?.resourceVersion), previous)) {
        return previous;
      }
      const revision = revisions.next();
      const stored = withRevision(object, String(revision));
      objects.set(key, stored);
      publish(resource, { type: previous ? 'MODIFIED' : 'ADDED', object: stored, previous, revision });
      return stored;
    },
    remove: (resource, key) => {
      const { objects } = shelfOf(resource);
      const previous = objects.get(key);
      if (!previous) return undefined;
      objects.delete(key);
      const revision = revisions.next();
      const object = withRevision(previous, String(revision));
      publish(resource, { type: 'DELETED', object, previous, revision });
      return object;
    },
    watch: (resource, fromRevision, listener) => {
      const { history, historyStart, listeners } = shelfOf(resource);
      if (fromRevision < historyStart || fromRevision > revisions.current()) {
        throw new ApiError(
          'Expired',
          `too old resource version: ${fromRevision} (${revisions.current()}): list again`,
        );
      }
      for (const change of history) if (change.revision > fromRevision) listener(change);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function withRevision<T extends ResourceTypes[ResourceName]>(
  object: T,
  resourceVersion: string | undefined,
): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}
