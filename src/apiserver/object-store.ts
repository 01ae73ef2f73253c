/**
 * The objects that clients create over the API: kept on disk before a request is answered, reported to the agent as
 * a source of desired pods, and shown merged with the pods' actual state. Semantics are the Kubernetes API's:
 * optimistic concurrency by resourceVersion, graceful deletion (a pod stays until the agent has ended it), finalizers.
 *
 * Writes run one after the other. What the agent observes (statuses, static pods, events, its node) only goes to the
 * watch cache: it is the agent's to remember. Only the status of a pod that has ended is kept.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Event, Node, Pod, Secret } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { ApiError, alreadyExists, notFound } from '../server/errors.ts';
import type { ObjectRef, SourceSnapshot } from '../sources/source.ts';
import { isClusterPod, isStaticPod } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import {
  checkPreconditions,
  marking,
  newObject,
  type Preconditions,
  typed,
  updated,
  type WrittenAt,
} from './object-rules.ts';
import { isTerminal } from './pod-update.ts';
import type { ResourceTypes, WritableName } from './resources.ts';
import { keyOf, objectKey } from './resources.ts';
import { openRevisions } from './revisions.ts';
import type { WatchCache } from './watch-cache.ts';
import { createWatchCache } from './watch-cache.ts';

export interface WriteOptions {
  /** Everything is checked and answered, nothing is kept. */
  dryRun?: boolean;
}

export interface UpdateOptions extends WriteOptions {
  /** Default: the object itself. */
  at?: WrittenAt;
}

export interface DeleteOptions extends WriteOptions {
  /** Undefined: the pod's own terminationGracePeriodSeconds. 0 drops the object at once. */
  gracePeriodSeconds?: number;
  preconditions?: Preconditions;
}

export type ObservedPod = { type: 'changed' | 'gone'; pod: Pod };

export interface ObjectStore {
  /** What clients see; only reads are meant for callers. */
  readonly cache: Pick<WatchCache, 'get' | 'list' | 'watch' | 'revision'>;

  /** The desired pods with the objects they use, for the agent. */
  snapshot(): SourceSnapshot;
  /** Tells of each change of the snapshot; the argument names the config map or secret that changed. */
  onChange(listener: (changed: ObjectRef | undefined) => void): () => void;
  /** The agent has ended a pod that has a deletionTimestamp: the object goes. Unknown uids are ignored. */
  finalizeDeletion(podUid: string): Promise<void>;

  observePod(change: ObservedPod): void;
  observeNode(node: Node): void;
  observeEvent(event: Event): void;

  create<R extends WritableName>(
    resource: R,
    object: ResourceTypes[R],
    o?: WriteOptions,
  ): Promise<ResourceTypes[R]>;
  /**
   * Replaces the object by what `change` makes of the present one; called again when it must be retried.
   * @throws ApiError Conflict when the new object names another resourceVersion or uid than the present one's
   */
  update<R extends WritableName>(
    resource: R,
    namespace: string,
    name: string,
    change: (present: ResourceTypes[R]) => ResourceTypes[R] | Promise<ResourceTypes[R]>,
    o?: UpdateOptions,
  ): Promise<ResourceTypes[R]>;
  delete<R extends WritableName>(
    resource: R,
    namespace: string,
    name: string,
    o?: DeleteOptions,
  ): Promise<{ object: ResourceTypes[R]; gone: boolean }>;
}

export interface ObjectStoreOptions {
  store: Store;
  nodeName: string;
  /** Of the cluster that the node belongs to, where pods are to be made. */
  clusterServer?: string;
  /** The manifest of a static pod, for the refusal to delete it. */
  manifestFile(podUid: string): string | undefined;
  log: Logger;
  nowMs?: () => number;
}

const eventLimit = 1000;

const recordKind = (resource: WritableName): string => `api-${resource}`;

const writable: readonly WritableName[] = ['pods', 'configmaps', 'secrets'];

export async function openObjectStore(options: ObjectStoreOptions): Promise<ObjectStore> {
  const { store, nodeName, log, nowMs = Date.now } = options;
  const cache = createWatchCache(await openRevisions(store, log));
  /** What is on disk: objects without status, by key. */
  const kept: { [R in WritableName]: Map<string, ResourceTypes[R]> } = {
    pods: new Map(),
    configmaps: new Map(),
    secrets: new Map(),
  };
  const keptOf = <R extends WritableName>(resource: R) =>
    kept[resource] as unknown as Map<string, ResourceTypes[R]>;
  const listeners = new Set<(changed: ObjectRef | undefined) => void>();
  const inTurn = oneAtATime();
  /** Keys of the events shown, the one repeated longest ago first. */
  const recentEvents = new Set<string>();

  for (const resource of writable) {
    for (const { value } of await store.load<ResourceTypes[typeof resource]>(recordKind(resource))) {
      keptOf(resource).set(objectKey(value), value);
      cache.upsert(resource, withPendingStatus(value));
    }
  }

  function present<R extends WritableName>(resource: R, namespace: string, name: string): ResourceTypes[R] {
    const object = cache.get(resource, keyOf(namespace, name));
    if (!object) throw notFound(resource, name);
    return object;
  }

  function refuseStatic(resource: WritableName, object: ConfigMap | Secret | Pod, verb: string): void {
    if (resource !== 'pods' || !isStaticPod(object)) return;
    const { name = '', uid = '' } = object.metadata ?? {};
    const file = options.manifestFile(uid) ?? 'its manifest file';
    throw new ApiError('Forbidden', `pods "${name}" is a static pod: to ${verb} it, ${verb} ${file}`, {
      name,
      kind: 'pods',
    });
  }

  async function keep<R extends WritableName>(resource: R, object: ResourceTypes[R]): Promise<void> {
    const { status, ...rest } = object as Pod;
    await store.put(
      recordKind(resource),
      objectKey(object),
      isTerminal(object as Pod) ? { ...rest, status } : rest,
    );
    keptOf(resource).set(objectKey(object), object);
    notify(resource, object);
  }

  async function drop<R extends WritableName>(
    resource: R,
    object: ResourceTypes[R],
  ): Promise<ResourceTypes[R]> {
    await store.delete(recordKind(resource), objectKey(object));
    keptOf(resource).delete(objectKey(object));
    const last = cache.remove(resource, objectKey(object)) ?? object;
    notify(resource, object);
    return last;
  }

  /** That a pod has run to its end must be known after a reboot too, or it would run again. */
  async function keepTerminal(pod: Pod): Promise<void> {
    try {
      await inTurn(async () => {
        const own = kept.pods.get(objectKey(pod));
        if (own?.metadata?.uid === pod.metadata?.uid) await keep('pods', { ...own, status: pod.status });
      });
    } catch (err) {
      log.error(
        { err, pod: objectKey(pod) },
        'the pod has ended, but this could not be kept: a restart runs it again',
      );
    }
  }

  function notify(resource: WritableName, object: ConfigMap | Secret | Pod): void {
    const ref = refOf(resource, object);
    for (const listener of [...listeners]) listener(ref);
  }

  return {
    cache,

    snapshot: () => ({
      pods: [...kept.pods.values()],
      configMaps: [...kept.configmaps.values()],
      secrets: [...kept.secrets.values()],
    }),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    finalizeDeletion: (podUid) =>
      inTurn(async () => {
        const pod = [...kept.pods.values()].find((each) => each.metadata?.uid === podUid);
        if (!pod?.metadata?.deletionTimestamp) return;
        if (pod.metadata.finalizers?.length) {
          const ended = { ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 0 } };
          await keep('pods', ended);
          cache.upsert('pods', { ...ended, status: cache.get('pods', objectKey(pod))?.status });
        } else await drop('pods', pod);
      }),

    observePod: ({ type, pod }) => {
      const key = objectKey(pod);
      const own = kept.pods.get(key);
      if (own) {
        if (own.metadata?.uid === pod.metadata?.uid && type === 'changed') {
          cache.upsert('pods', { ...own, status: pod.status });
          if (isTerminal(pod) && !isTerminal(own)) void keepTerminal(pod);
        }
      } else if (type === 'gone' || !(isStaticPod(pod) || isClusterPod(pod))) {
        if (cache.get('pods', key)?.metadata?.uid === pod.metadata?.uid) cache.remove('pods', key);
      } else cache.upsert('pods', typed('pods', pod));
    },
    observeNode: (node) => {
      cache.upsert('nodes', typed('nodes', node));
    },
    observeEvent: (event) => {
      const key = objectKey(event);
      recentEvents.delete(key);
      recentEvents.add(key);
      cache.upsert('events', typed('events', event));
      for (const oldest of recentEvents) {
        if (recentEvents.size <= eventLimit) break;
        recentEvents.delete(oldest);
        cache.remove('events', oldest);
      }
    },

    create: (resource, object, o = {}) =>
      inTurn(async () => {
        if (options.clusterServer !== undefined) throw belongsToCluster(options.clusterServer);
        const created = newObject(resource, object, nodeName, nowMs());
        const { name = '' } = created.metadata ?? {};
        if (cache.get(resource, objectKey(created))) throw alreadyExists(resource, name);
        if (o.dryRun) return created;
        await keep(resource, created);
        return cache.upsert(resource, withPendingStatus(created));
      }),

    update: (resource, namespace, name, change, o = {}) =>
      inTurn(async () => {
        const old = present(resource, namespace, name);
        refuseStatic(resource, old, 'change');
        const next = updated(resource, old, await change(old), o.at);
        if (isDeepStrictEqual(next, old)) return old;
        if (o.dryRun) return next;
        const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = next.metadata ?? {};
        if (deletionTimestamp && !finalizers?.length && !deletionGracePeriodSeconds)
          return drop(resource, next);
        await keep(resource, next);
        return cache.upsert(resource, next);
      }),

    delete: (resource, namespace, name, o = {}) =>
      inTurn(async () => {
        const old = present(resource, namespace, name);
        refuseStatic(resource, old, 'remove');
        checkPreconditions(resource, old, o.preconditions ?? {});
        const marked = marking(resource, old, o.gracePeriodSeconds, nowMs());
        if (o.dryRun) return { object: marked ?? old, gone: marked === undefined };
        if (!marked) return { object: await drop(resource, old), gone: true };
        if (!isDeepStrictEqual(marked, old)) await keep(resource, marked);
        return { object: cache.upsert(resource, marked), gone: false };
      }),
  };
}

const belongsToCluster = (server: string): ApiError =>
  new ApiError('Forbidden', `this node belongs to the cluster at ${server}: create it there`);

/** Runs each task when the one before has ended, however it ended. */
function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = tail.then(task);
    tail = run.catch(() => undefined);
    return run;
  };
}

function withPendingStatus<T extends ConfigMap | Secret | Pod>(object: T): T {
  return object.kind === 'Pod'
    ? { ...object, status: { phase: 'Pending', ...(object as Pod).status } }
    : object;
}

function refOf(resource: WritableName, object: ConfigMap | Secret | Pod): ObjectRef | undefined {
  if (resource === 'pods') return undefined;
  const { namespace = 'default', name = '' } = object.metadata ?? {};
  return { kind: resource === 'secrets' ? 'Secret' : 'ConfigMap', namespace, name };
}
