/** The verbs of the Kubernetes API on core/v1 objects: list, watch, get, create, update, patch, delete. */
import { ApiError, badRequest, notFound } from '../server/errors.ts';
import { boolParam, type Exchange, sendJson } from '../server/http.ts';
import { decodeBody } from './decode-body.ts';
import { getNamespace, listNamespaces } from './namespaces.ts';
import type { WrittenAt } from './object-rules.ts';
import type { ObjectStore } from './object-store.ts';
import { applyPatch, type Json } from './patch.ts';
import {
  contentType,
  deleteOptions,
  dryRun,
  fieldValidation,
  jsonBody,
  patchType,
  sendWithWarnings,
  tableWanted,
} from './requests.ts';
import type { ResourceName, ResourceTypes, WritableName } from './resources.ts';
import { isResourceName, isWritable, keyOf, resources } from './resources.ts';
import { fieldSelector, labelSelector, type Selector } from './selectors.ts';
import { tableOf } from './table.ts';
import { streamWatch } from './watch-stream.ts';

export async function list(exchange: Exchange, objects: ObjectStore): Promise<void> {
  const { query, res } = exchange;
  const resource = resourceOf(exchange);
  const selects = selectorOf(resource, exchange);
  const table = tableWanted(exchange);
  if (boolParam(query, 'watch')) {
    checkVerb(resource, 'watch');
    const present = (object: ResourceTypes[typeof resource]): object =>
      table ? tableOf(resource, [object], object.metadata?.resourceVersion ?? '', table, Date.now()) : object;
    await streamWatch(exchange, objects.cache, {
      resource,
      selects,
      present,
      contentType: contentType(table),
    });
    return;
  }
  const items = (resource === 'namespaces' ? listNamespaces(objects) : objects.cache.list(resource)).filter(
    selects,
  );
  const resourceVersion = String(objects.cache.revision());
  if (table) {
    sendJson(res, 200, tableOf(resource, items, resourceVersion, table, Date.now()));
    return;
  }
  const { kind } = resources[resource];
  sendJson(res, 200, { kind: `${kind}List`, apiVersion: 'v1', metadata: { resourceVersion }, items });
}

export function getObject(exchange: Exchange, objects: ObjectStore): void {
  const { params, res } = exchange;
  const resource = resourceOf(exchange);
  const table = tableWanted(exchange);
  const { namespace = '', name = '' } = params;
  const object =
    resource === 'namespaces' ? getNamespace(name) : objects.cache.get(resource, keyOf(namespace, name));
  if (!object) throw notFound(resource, name);
  const version = object.metadata?.resourceVersion ?? '';
  sendJson(res, 200, table ? tableOf(resource, [object], version, table, Date.now()) : object);
}

export async function create(exchange: Exchange, objects: ObjectStore): Promise<void> {
  const resource = writableOf(exchange, 'create');
  const { namespace } = exchange.params;
  if (!namespace) throw badRequest(`create ${resource} at /api/v1/namespaces/{namespace}/${resource}`);
  const { object, warnings } = decodeBody(
    resource,
    await jsonBody(exchange),
    namespace,
    fieldValidation(exchange.query),
  );
  const created = await objects.create(resource, object, { dryRun: dryRun(exchange.query) });
  sendWithWarnings(exchange, 201, created, warnings);
}

export async function replace(exchange: Exchange, objects: ObjectStore, at?: WrittenAt): Promise<void> {
  const resource = writableOf(exchange, 'update');
  const { namespace = '', name = '' } = exchange.params;
  const { object, warnings } = decodeBody(
    resource,
    await jsonBody(exchange),
    namespace,
    fieldValidation(exchange.query),
  );
  const options = { dryRun: dryRun(exchange.query), at };
  const changed = await objects.update(resource, namespace, name, () => object, options);
  sendWithWarnings(exchange, 200, changed, warnings);
}

export async function patch(exchange: Exchange, objects: ObjectStore, at?: WrittenAt): Promise<void> {
  const resource = writableOf(exchange, 'patch');
  const { namespace = '', name = '' } = exchange.params;
  const type = patchType(exchange);
  const body = await jsonBody(exchange, type);
  const warnings: string[] = [];
  const change = (present: ResourceTypes[typeof resource]): ResourceTypes[typeof resource] => {
    const patched = applyPatch(type, JSON.parse(JSON.stringify(present)) as Json, body);
    const decoded = decodeBody(resource, patched, namespace, fieldValidation(exchange.query));
    warnings.splice(0, warnings.length, ...decoded.warnings);
    return decoded.object;
  };
  const options = { dryRun: dryRun(exchange.query), at };
  const changed = await objects.update(resource, namespace, name, change, options);
  sendWithWarnings(exchange, 200, changed, warnings);
}

export async function remove(exchange: Exchange, objects: ObjectStore): Promise<void> {
  const resource = writableOf(exchange, 'delete');
  const { namespace = '', name = '' } = exchange.params;
  const options = await deleteOptions(exchange);
  const { object, gone } = await objects.delete(resource, namespace, name, options);
  if (resource === 'pods' || !gone) {
    sendJson(exchange.res, 200, object);
    return;
  }
  const details = { name, kind: resource, uid: object.metadata?.uid };
  sendJson(exchange.res, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

function resourceOf({ params }: Exchange): ResourceName {
  const { resource = '' } = params;
  if (!isResourceName(resource)) {
    const known = Object.keys(resources).join(', ');
    throw new ApiError('NotFound', `the server has no resource "${resource}": there are ${known}`);
  }
  if (params.namespace && !resources[resource].namespaced) {
    throw new ApiError('NotFound', `${resource} have no namespace: see /api/v1/${resource}`);
  }
  return resource;
}

function checkVerb(resource: ResourceName, verb: string): void {
  if (resources[resource].verbs.includes(verb)) return;
  const possible = resources[resource].verbs.join(', ');
  throw new ApiError('MethodNotAllowed', `${verb} is not possible for ${resource}: only ${possible}`);
}

function writableOf(exchange: Exchange, verb: string): WritableName {
  const resource = resourceOf(exchange);
  checkVerb(resource, verb);
  if (!isWritable(resource)) throw new Error(`${resource} have the verb ${verb} but are not kept`);
  return resource;
}

function selectorOf(resource: ResourceName, { params, query }: Exchange): Selector {
  const byLabel = labelSelector(query.get('labelSelector') ?? '');
  const byField = fieldSelector(resource, query.get('fieldSelector') ?? '');
  const { namespace } = params;
  return (object) =>
    (namespace === undefined || object.metadata?.namespace === namespace) &&
    byLabel(object) &&
    byField(object);
}
