/**
 * Patches by content type: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386) and Kubernetes' strategic merge patch,
 * which merges the lists of a pod by their keys.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, badRequest } from '../server/errors.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

export const patchTypes = {
  'application/json-patch+json': jsonPatch,
  'application/merge-patch+json': mergePatch,
  'application/strategic-merge-patch+json': strategicMergePatch,
} as const;

export type PatchType = keyof typeof patchTypes;

/** @throws ApiError BadRequest, Invalid */
export function applyPatch(type: PatchType, target: Json, patch: Json): Json {
  return patchTypes[type](target, patch);
}

export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key] ?? null, value);
  }
  return result;
}

/** The API server's limits: a short patch could otherwise copy until the memory is full. */
const maxOperations = 10_000;
const maxCopiedBytes = 3 * 2 ** 20;

export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  if (patch.length > maxOperations) {
    const message = `a JSON patch has at most ${maxOperations} operations, this one has ${patch.length}`;
    throw new ApiError('RequestEntityTooLarge', message);
  }
  let copiedBytes = 0;
  const copyOf = (value: Json): Json => {
    const text = JSON.stringify(value);
    copiedBytes += Buffer.byteLength(text);
    if (copiedBytes <= maxCopiedBytes) return JSON.parse(text) as Json;
    const message = `the copy operations of the JSON patch copy more than ${maxCopiedBytes} bytes`;
    throw new ApiError('RequestEntityTooLarge', message);
  };
  return patch.reduce<Json>((document, operation) => {
    if (!isObject(operation)) throw badRequest('an operation of a JSON patch is an object');
    return applyOperation(document, operation, copyOf);
  }, structuredClone(target));
}

function applyOperation(
  document: Json,
  { op, path, from, value = null }: JsonObject,
  copyOf: (value: Json) => Json,
): Json {
  const to = pointer(path);
  switch (op) {
    case 'add':
      return insert(document, to, value);
    case 'remove':
      return removeAt(document, to);
    case 'replace':
      valueAt(document, to);
      return to.length === 0 ? value : insert(removeAt(document, to), to, value);
    case 'move': {
      const moved = valueAt(document, pointer(from));
      return insert(removeAt(document, pointer(from)), to, moved);
    }
    case 'copy':
      return insert(document, to, copyOf(valueAt(document, pointer(from))));
    case 'test':
      if (isDeepStrictEqual(valueAt(document, to), value)) return document;
      throw new ApiError('Invalid', `the JSON patch does not apply: testing value ${path} failed`);
    default:
      throw badRequest(`"${String(op)}" is no operation of a JSON patch`);
  }
}

function pointer(path: Json | undefined): string[] {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/'))) {
    throw badRequest(`"${String(path)}" is no JSON pointer: it begins with /`);
  }
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function missing(path: string[]): ApiError {
  return new ApiError('Invalid', `the JSON patch does not apply: there is nothing at /${path.join('/')}`);
}

function valueAt(document: Json, path: string[]): Json {
  let value: Json | undefined = document;
  for (const part of path) {
    if (Array.isArray(value)) value = value[arrayIndex(part, value.length - 1, path)];
    else value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
    if (value === undefined) throw missing(path);
  }
  return value;
}

function insert(document: Json, path: string[], value: Json): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = valueAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    parent.splice(last === '-' ? parent.length : arrayIndex(last, parent.length, path), 0, value);
  } else if (isObject(parent)) setOwn(parent, last, value);
  else throw missing(path);
  return document;
}

function removeAt(document: Json, path: string[]): Json {
  const last = path.at(-1);
  if (last === undefined) return null;
  valueAt(document, path);
  const parent = valueAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(arrayIndex(last, parent.length - 1, path), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}

function arrayIndex(part: string, max: number, path: string[]): number {
  const index = Number(part);
  if (!/^(0|[1-9]\d*)$/.test(part) || index > max) throw missing(path);
  return index;
}

/** The lists that strategic merge patches merge, and by which field, by the list's own field name. */
const mergeKeys: Readonly<Record<string, string>> = {
  conditions: 'type',
  containers: 'name',
  env: 'name',
  ephemeralContainers: 'name',
  hostAliases: 'ip',
  imagePullSecrets: 'name',
  initContainers: 'name',
  ownerReferences: 'uid',
  ports: 'containerPort',
  resourceClaims: 'name',
  schedulingGates: 'name',
  topologySpreadConstraints: 'topologyKey',
  volumeDevices: 'devicePath',
  volumeMounts: 'mountPath',
  volumes: 'name',
};

/** Lists of plain values that are merged as sets. */
const mergedSets: ReadonlySet<string> = new Set(['finalizers']);

export function strategicMergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) throw badRequest('a strategic merge patch is an object');
  return mergeObjects(isObject(target) ? target : {}, patch);
}

function mergeObjects(target: JsonObject, patch: JsonObject): JsonObject {
  const { $patch: directive, $retainKeys: retain, ...changes } = patch;
  if (directive === 'replace') return withoutDirectives(changes);
  if (directive === 'delete') return {};
  if (directive !== undefined)
    throw badRequest(`"${String(directive)}" is no directive of a strategic merge patch`);
  const kept = Array.isArray(retain)
    ? Object.fromEntries(Object.entries(target).filter(([key]) => retain.includes(key)))
    : target;
  const result: JsonObject = { ...kept };
  for (const [key, value] of Object.entries(changes)) {
    const list = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.+)$/.exec(key);
    if (list) continue;
    if (value === null) delete result[key];
    else setOwn(result, key, mergeField(key, result[key], value));
  }
  for (const [key, value] of Object.entries(changes)) applyListDirective(result, key, value);
  return result;
}

function mergeField(key: string, target: Json | undefined, patch: Json): Json {
  if (isObject(patch)) return mergeObjects(isObject(target) ? target : {}, patch);
  if (!Array.isArray(patch)) return patch;
  const present = Array.isArray(target) ? target : [];
  if (mergedSets.has(key)) {
    const known = new Set(present);
    return [...present, ...patch.filter((each) => !known.has(each))];
  }
  const mergeKey = mergeKeys[key];
  return mergeKey && patch.every(isObject) ? mergeLists(present, patch, mergeKey) : patch;
}

function mergeLists(target: Json[], patch: JsonObject[], mergeKey: string): Json[] {
  if (patch.some((item) => item.$patch === 'replace')) {
    return patch.filter((item) => item.$patch !== 'replace').map(withoutDirectives);
  }
  // Deleted items stay as holes until the end, so that the indices hold.
  const result: (Json | undefined)[] = [...target];
  const indices = firstIndices(target.map((item) => (isObject(item) ? item[mergeKey] : undefined)));
  for (const item of patch) {
    const id = item[mergeKey];
    if (id === undefined)
      throw badRequest(`an item of the strategic merge patch lacks its merge key ${mergeKey}`);
    const index = indices.get(id);
    const old = index === undefined ? undefined : result[index];
    if (item.$patch === 'delete') {
      if (index !== undefined) result[index] = undefined;
      indices.delete(id);
    } else if (index !== undefined && isObject(old)) result[index] = mergeObjects(old, item);
    else indices.set(id, result.push(mergeObjects({}, item)) - 1);
  }
  return result.filter((item) => item !== undefined);
}

/** Where each value is found first; a search for each item of a long list would take the square of its length. */
function firstIndices(values: readonly (Json | undefined)[]): Map<Json | undefined, number> {
  const indices = new Map<Json | undefined, number>();
  for (const [index, value] of values.entries()) if (!indices.has(value)) indices.set(value, index);
  return indices;
}

function applyListDirective(result: JsonObject, key: string, value: Json): void {
  const [, directive, field = ''] = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.+)$/.exec(key) ?? [];
  const list = result[field];
  if (!directive || !Array.isArray(list) || !Array.isArray(value)) return;
  if (directive === 'deleteFromPrimitiveList') {
    const deleted = new Set(value);
    result[field] = list.filter((each) => !deleted.has(each));
    return;
  }
  const mergeKey = mergeKeys[field];
  const idOf = (item: Json | undefined): Json | undefined =>
    mergeKey && isObject(item) ? item[mergeKey] : item;
  const order = firstIndices(value.map(idOf));
  const rank = (item: Json): number => order.get(idOf(item)) ?? value.length;
  result[field] = [...list].sort((a, b) => rank(a) - rank(b));
}

function withoutDirectives(value: JsonObject): JsonObject {
  const { $patch: _, $retainKeys: __, ...rest } = value;
  return rest;
}

/** Also for a key like `__proto__`, which a plain assignment would not keep. */
function setOwn(object: JsonObject, key: string, value: Json): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
