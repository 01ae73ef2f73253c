/**
 * The objects that clients create over the API: kept on disk before a request is answered, reported to the agent as
 * a source of desired pods, and shown merged with the pods' actual state. Semantics are the Kubernetes API's:
 * optimistic concurrency by resourceVersion, graceful deletion (a pod stays until the agent has ended it), finalizers.
 *
 * Writes run one after the other. What the agent observes (statuses, static pods, events, its node) only goes to the
 * watch cache: it is the agent's to remember. Only the status of a pod that has ended is kept.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Event, Node, Pod, PodStatus, Secret, StatusCause } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { ApiError, alreadyExists, conflict, invalid, notFound } from '../server/errors.ts';
import type { ObjectRef, SourceSnapshot } from '../sources/source.ts';
import { isStaticPod } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import { isTerminal, podUpdateErrors } from './pod-update.ts';
import type { ResourceTypes, WritableName } from './resources.ts';
import { keyOf, objectKey, resources } from './resources.ts';
import { openRevisions } from './revisions.ts';
import type { WatchCache } from './watch-cache.ts';
import { createWatchCache } from './watch-cache.ts';

export interface WriteOptions {
  /** Everything is checked and answered, nothing is kept. */
  dryRun?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  /** Undefined: the pod's own terminationGracePeriodSeconds. 0 drops the object at once. */
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
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
    o?: WriteOptions,
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
      } else if (type === 'gone' || !isStaticPod(pod)) {
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
        const next = updated(resource, old, await change(old));
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
        checkPreconditions(resource, old, o);
        const marked = marking(resource, old, o.gracePeriodSeconds, nowMs());
        if (o.dryRun) return { object: marked ?? old, gone: marked === undefined };
        if (!marked) return { object: await drop(resource, old), gone: true };
        if (!isDeepStrictEqual(marked, old)) await keep(resource, marked);
        return { object: cache.upsert(resource, marked), gone: false };
      }),
  };
}

/** Runs each task when the one before has ended, however it ended. */
function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = tail.then(task);
    tail = run.catch(() => undefined);
    return run;
  };
}

function typed<R extends keyof ResourceTypes>(resource: R, object: ResourceTypes[R]): ResourceTypes[R] {
  return { ...object, apiVersion: 'v1', kind: resources[resource].kind };
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

/** Metadata as the API server fills it in; what a client may not say is dropped. */
function newObject<R extends WritableName>(
  resource: R,
  object: ResourceTypes[R],
  nodeName: string,
  nowMs: number,
): ResourceTypes[R] {
  const { generateName, name, namespace, labels, annotations, finalizers, ownerReferences } =
    object.metadata ?? {};
  const made = {
    ...typed(resource, object),
    metadata: {
      name: name || `${generateName ?? ''}${nameSuffix()}`,
      ...(generateName && { generateName }),
      namespace,
      uid: randomUUID(),
      creationTimestamp: timestamp(nowMs),
      ...(resource === 'pods' && { generation: 1 }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ...(ownerReferences && { ownerReferences }),
    },
  };
  if (resource !== 'pods') return made;
  const { status: _, ...pod } = made as Pod;
  if (!pod.spec) throw invalid('Pod', made.metadata.name, [{ field: 'spec', message: 'Required value' }]);
  if (pod.spec.nodeName && pod.spec.nodeName !== nodeName) {
    const message = `Invalid value: "${pod.spec.nodeName}": this machine is node "${nodeName}"; leave it out`;
    throw invalid('Pod', made.metadata.name, [{ field: 'spec.nodeName', message }]);
  }
  return { ...pod, spec: { ...pod.spec, nodeName } } as ResourceTypes[R];
}

/** The new object with everything that an update cannot change taken from the old one. */
function updated<R extends WritableName>(
  resource: R,
  old: ResourceTypes[R],
  wanted: ResourceTypes[R],
): ResourceTypes[R] {
  const name = old.metadata?.name ?? '';
  const { resourceVersion, uid, name: newName, namespace: newNamespace } = wanted.metadata ?? {};
  if (newName !== undefined && newName !== name) {
    throw new ApiError('BadRequest', `the name of the object (${newName}) does not match the URL (${name})`);
  }
  if (newNamespace !== undefined && newNamespace !== old.metadata?.namespace) {
    throw new ApiError('BadRequest', `the namespace of the object (${newNamespace}) does not match the URL`);
  }
  if (resourceVersion && resourceVersion !== old.metadata?.resourceVersion) {
    throw conflict(
      resource,
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  }
  checkPreconditions(resource, old, { preconditions: { uid } });
  const causes = [...finalizerErrors(old, wanted), ...immutabilityErrors(resource, old, wanted)];
  if (causes.length > 0) throw invalid(resources[resource].kind, name, causes);

  const { labels, annotations, finalizers, ownerReferences } = wanted.metadata ?? {};
  const metadata = withoutUndefined({ ...old.metadata, labels, annotations, finalizers, ownerReferences });
  const next = { ...typed(resource, wanted), metadata };
  if (resource !== 'pods') return next;
  const pod = old as Pod;
  const specChanged = !isDeepStrictEqual((next as Pod).spec, pod.spec);
  return {
    ...next,
    metadata: specChanged ? { ...metadata, generation: (metadata.generation ?? 1) + 1 } : metadata,
    status: pod.status as PodStatus,
  } as ResourceTypes[R];
}

function finalizerErrors(
  old: ResourceTypes[WritableName],
  wanted: ResourceTypes[WritableName],
): StatusCause[] {
  if (!old.metadata?.deletionTimestamp) return [];
  const known = new Set(old.metadata.finalizers);
  const added = (wanted.metadata?.finalizers ?? []).filter((each) => !known.has(each));
  if (added.length === 0) return [];
  const message = `Forbidden: no new finalizers can be added while the object is being deleted: ${added.join(', ')}`;
  return [{ field: 'metadata.finalizers', message, reason: 'FieldValueForbidden' }];
}

function immutabilityErrors<R extends WritableName>(
  resource: R,
  old: ResourceTypes[R],
  wanted: ResourceTypes[R],
): StatusCause[] {
  if (resource === 'pods') return podUpdateErrors(old as Pod, wanted as Pod);
  const before = old as Secret;
  const after = wanted as Secret;
  const causes: StatusCause[] = [];
  if (resource === 'secrets' && after.type !== before.type) {
    const message = `Invalid value: "${after.type}": field is immutable`;
    causes.push({ field: 'type', message, reason: 'FieldValueInvalid' });
  }
  if (!before.immutable) return causes;
  for (const field of ['data', 'binaryData', 'immutable'] as const) {
    const [was, is] = [(old as ConfigMap)[field], (wanted as ConfigMap)[field]];
    if (isDeepStrictEqual(was, is)) continue;
    causes.push({
      field,
      message: 'Forbidden: field is immutable when `immutable` is set',
      reason: 'FieldValueForbidden',
    });
  }
  return causes;
}

function checkPreconditions(
  resource: WritableName,
  object: ResourceTypes[WritableName],
  { preconditions = {} }: Pick<DeleteOptions, 'preconditions'>,
): void {
  const { uid, resourceVersion, name = '' } = object.metadata ?? {};
  if (preconditions.uid && preconditions.uid !== uid) {
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`,
    );
  }
  if (preconditions.resourceVersion && preconditions.resourceVersion !== resourceVersion) {
    const versions = `${preconditions.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(resource, name, `Precondition failed: ResourceVersion in precondition: ${versions}`);
  }
}

/** The object marked for deletion; undefined when it goes at once. A second request may only shorten the time. */
function marking<R extends WritableName>(
  resource: R,
  object: ResourceTypes[R],
  wantedSeconds: number | undefined,
  nowMs: number,
): ResourceTypes[R] | undefined {
  const metadata = object.metadata ?? {};
  const hasFinalizers = (metadata.finalizers?.length ?? 0) > 0;
  const pod = resource === 'pods' ? (object as Pod) : undefined;
  const immediate = !pod || isTerminal(pod) || wantedSeconds === 0;
  if (immediate && !hasFinalizers) return undefined;

  const graceSeconds = immediate ? 0 : (wantedSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30);
  if (metadata.deletionTimestamp) {
    const left = metadata.deletionGracePeriodSeconds ?? 0;
    if (wantedSeconds === undefined || graceSeconds >= left) return object;
  }
  return {
    ...object,
    metadata: {
      ...metadata,
      deletionTimestamp: timestamp(nowMs + graceSeconds * 1000),
      deletionGracePeriodSeconds: graceSeconds,
      ...(metadata.generation !== undefined &&
        !metadata.deletionTimestamp && { generation: metadata.generation + 1 }),
    },
  };
}

/** Five characters that make no words, as the API server appends to generateName. */
function nameSuffix(): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  return [...randomBytes(5)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const withoutUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
