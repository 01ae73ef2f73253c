/**
 * The rules of the Kubernetes API for one object's metadata and life: what creation fills in, what an update may change,
 * what deletion marks. Pure, so that each rule can be shown by a table.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Pod, PodStatus, Secret, StatusCause } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import { ApiError, conflict, invalid } from '../server/errors.ts';
import { podResizeErrors } from './pod-resize.ts';
import { isTerminal, podUpdateErrors } from './pod-update.ts';
import type { ResourceTypes, WritableName } from './resources.ts';
import { resources } from './resources.ts';

/** What must hold for the object that a request means. */
export interface Preconditions {
  uid?: string;
  resourceVersion?: string;
}

export function typed<R extends keyof ResourceTypes>(
  resource: R,
  object: ResourceTypes[R],
): ResourceTypes[R] {
  return { ...object, apiVersion: 'v1', kind: resources[resource].kind };
}

/** Metadata as the API server fills it in; what a client may not say is dropped. */
export function newObject<R extends WritableName>(
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
      creationTimestamp: time(nowMs),
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

/** Where an object is written: by itself, or at a subresource that has rules of its own. */
export type WrittenAt = 'object' | 'resize';

/** The new object with everything that an update cannot change taken from the old one. */
export function updated<R extends WritableName>(
  resource: R,
  old: ResourceTypes[R],
  asked: ResourceTypes[R],
  at: WrittenAt = 'object',
): ResourceTypes[R] {
  const wanted = resource === 'pods' ? (boundLike(old, asked) as ResourceTypes[R]) : asked;
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
  checkPreconditions(resource, old, { uid });
  const causes = [...finalizerErrors(old, wanted), ...immutabilityErrors(resource, old, wanted, at)];
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

/** A manifest does not say on which node its pod has been put; that is no wish to take it away. */
function boundLike(old: Pod, wanted: Pod): Pod {
  const nodeName = old.spec?.nodeName;
  return wanted.spec && nodeName ? { ...wanted, spec: { nodeName, ...wanted.spec } } : wanted;
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
  at: WrittenAt,
): StatusCause[] {
  if (resource === 'pods') return podErrors[at](old as Pod, wanted as Pod);
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

const podErrors: Readonly<Record<WrittenAt, (old: Pod, wanted: Pod) => StatusCause[]>> = {
  object: podUpdateErrors,
  resize: podResizeErrors,
};

export function checkPreconditions(
  resource: WritableName,
  object: ResourceTypes[WritableName],
  preconditions: Preconditions,
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
export function marking<R extends WritableName>(
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
      deletionTimestamp: time(nowMs + graceSeconds * 1000),
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

const withoutUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
