/** The Kubernetes REST paths of core/v1: what a method and a path ask for, and how the answer is written. */

import type { AgentView } from '../server/agent-view.ts';
import { sendContainerLog } from '../server/container-logs.ts';
import { ApiError, badRequest, notFound } from '../server/errors.ts';
import {
  boolParam,
  type Exchange,
  intParam,
  needsUpgrade,
  type Route,
  readBody,
  routePath,
  sendJson,
} from '../server/http.ts';
import { defaultContainer, findPod } from '../server/pod-lookup.ts';
import type { LocalApi } from '../server/server.ts';
import { apiFlags, type StreamRequest, streamProcess } from '../server/streaming/exec.ts';
import { decodeBody, type FieldValidation } from './decode-body.ts';
import {
  apiGroups,
  apiResources,
  apiVersions,
  openApiDocument,
  openApiIndex,
  versionInfo,
} from './discovery.ts';
import { getNamespace, listNamespaces } from './namespaces.ts';
import type { DeleteOptions, ObjectStore } from './object-store.ts';
import { applyPatch, type Json, type PatchType, patchTypes } from './patch.ts';
import type { ResourceName, ResourceTypes, WritableName } from './resources.ts';
import { isResourceName, isWritable, keyOf, resources } from './resources.ts';
import { fieldSelector, labelSelector, type Selector } from './selectors.ts';
import { type IncludeObject, tableOf } from './table.ts';
import { streamWatch } from './watch-stream.ts';

export function apiRoutes({ agent, objects }: LocalApi): Route[] {
  const get = (path: string, answer: () => object): Route => ({
    methods: ['GET'],
    path: routePath(path),
    handle: ({ res }) => sendJson(res, 200, answer()),
  });
  const collection = (path: string): Route => ({
    methods: ['GET', 'POST'],
    path: routePath(path),
    handle: (exchange) => (exchange.method === 'GET' ? list(exchange, objects) : create(exchange, objects)),
  });
  const item = (path: string): Route => ({
    methods: ['GET', 'PUT', 'PATCH', 'DELETE'],
    path: routePath(path),
    handle: (exchange) => itemVerbs[exchange.method as keyof typeof itemVerbs](exchange, objects),
  });
  return [
    get('/version', versionInfo),
    get('/api', apiVersions),
    get('/apis', apiGroups),
    get('/api/v1', apiResources),
    get('/openapi/v3', openApiIndex),
    get('/openapi/v3/api/v1', openApiDocument),
    collection('/api/v1/{resource}'),
    collection('/api/v1/namespaces/{namespace}/{resource}'),
    item('/api/v1/(?<resource>nodes|namespaces)/{name}'),
    item('/api/v1/namespaces/{namespace}/{resource}/{name}'),
    {
      methods: ['GET'],
      path: routePath('/api/v1/namespaces/{namespace}/pods/{name}/status'),
      handle: (exchange) =>
        getObject({ ...exchange, params: { ...exchange.params, resource: 'pods' } }, objects),
    },
    processStream('exec', agent),
    processStream('attach', agent),
    {
      methods: ['GET'],
      path: routePath('/api/v1/namespaces/{namespace}/pods/{name}/log'),
      handle: async (exchange) => {
        const { namespace = '', name = '' } = exchange.params;
        const pod = findPod(agent, namespace, name);
        const container = exchange.query.get('container') || defaultContainer(pod);
        await sendContainerLog(exchange, agent, pod, container);
      },
    },
  ];
}

const processStream = (kind: StreamRequest['kind'], agent: AgentView): Route => ({
  methods: ['GET', 'POST'],
  path: routePath(`/api/v1/namespaces/{namespace}/pods/{name}/${kind}`),
  handle: needsUpgrade,
  upgrade: (exchange) => {
    const { namespace = '', name: pod = '' } = exchange.params;
    const container = exchange.query.get('container') ?? undefined;
    return streamProcess(exchange, agent, { kind, namespace, pod, container, flags: apiFlags });
  },
});

const itemVerbs = { GET: getObject, PUT: replace, PATCH: patch, DELETE: remove };

async function list(exchange: Exchange, objects: ObjectStore): Promise<void> {
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

function getObject(exchange: Exchange, objects: ObjectStore): void {
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

async function create(exchange: Exchange, objects: ObjectStore): Promise<void> {
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

async function replace(exchange: Exchange, objects: ObjectStore): Promise<void> {
  const resource = writableOf(exchange, 'update');
  const { namespace = '', name = '' } = exchange.params;
  const { object, warnings } = decodeBody(
    resource,
    await jsonBody(exchange),
    namespace,
    fieldValidation(exchange.query),
  );
  const options = { dryRun: dryRun(exchange.query) };
  const changed = await objects.update(resource, namespace, name, () => object, options);
  sendWithWarnings(exchange, 200, changed, warnings);
}

async function patch(exchange: Exchange, objects: ObjectStore): Promise<void> {
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
  const changed = await objects.update(resource, namespace, name, change, { dryRun: dryRun(exchange.query) });
  sendWithWarnings(exchange, 200, changed, warnings);
}

async function remove(exchange: Exchange, objects: ObjectStore): Promise<void> {
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

async function deleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const { query } = exchange;
  const body = (await optionalJsonBody(exchange)) as {
    gracePeriodSeconds?: unknown;
    preconditions?: DeleteOptions['preconditions'];
    dryRun?: unknown[];
  };
  const seconds = body.gracePeriodSeconds ?? intParam(query, 'gracePeriodSeconds', -1);
  if (seconds !== undefined && seconds !== null && (!Number.isInteger(seconds) || (seconds as number) < -1)) {
    throw badRequest(`gracePeriodSeconds: ${JSON.stringify(seconds)} is not a number of seconds`);
  }
  const gracePeriodSeconds = typeof seconds === 'number' && seconds >= 0 ? seconds : undefined;
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(body.preconditions && { preconditions: body.preconditions }),
    dryRun: dryRun(query) || (Array.isArray(body.dryRun) && body.dryRun.includes('All')),
  };
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

/** The first acceptable type decides, as clients list them by preference. Undefined: plain JSON. */
function tableWanted({ req, query }: Exchange): IncludeObject | undefined {
  const accepted = (req.headers.accept ?? '*/*').split(',').map((each) => each.trim());
  for (const each of accepted) {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim());
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (as === undefined) return undefined;
    if (as !== 'Table' || !parameters.includes('v=v1')) continue;
    const include = query.get('includeObject') || 'Metadata';
    if (include === 'None' || include === 'Metadata' || include === 'Object') return include;
    throw badRequest(`parameter includeObject: "${include}" is not one of None, Metadata, Object`);
  }
  throw new ApiError('NotAcceptable', 'only application/json is served, also as a Table of meta.k8s.io/v1');
}

const contentType = (table: IncludeObject | undefined): string =>
  table ? 'application/json;as=Table;v=v1;g=meta.k8s.io' : 'application/json';

function dryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  if (values.some((value) => value !== 'All')) throw badRequest(`parameter dryRun: only All is possible`);
  return values.length > 0;
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw badRequest(`parameter fieldValidation: "${value}" is not one of Strict, Warn, Ignore`);
}

function patchType({ req }: Exchange): PatchType {
  const type = mediaType(req.headers['content-type']);
  if (Object.hasOwn(patchTypes, type)) return type as PatchType;
  const known = Object.keys(patchTypes).join(', ');
  const hint = type.startsWith('application/apply-patch') ? ' (kubectl: leave out --server-side)' : '';
  throw new ApiError(
    'UnsupportedMediaType',
    `a patch of type "${type}" is not supported${hint}: use ${known}`,
  );
}

async function jsonBody({ req }: Exchange, wanted = 'application/json'): Promise<Json> {
  const type = mediaType(req.headers['content-type']) || wanted;
  if (type !== wanted) throw new ApiError('UnsupportedMediaType', `the body is ${type}: send ${wanted}`);
  return parseJson(await readBody(req));
}

async function optionalJsonBody({ req }: Exchange): Promise<object> {
  const body = await readBody(req);
  const value = body.length === 0 ? {} : parseJson(body);
  if (typeof value !== 'object' || value === null) throw badRequest('the body must be a JSON object');
  return value;
}

function parseJson(body: Buffer): Json {
  try {
    return JSON.parse(body.toString('utf8')) as Json;
  } catch (cause) {
    throw new ApiError('BadRequest', `the body is not JSON: ${(cause as Error).message}`, undefined, {
      cause,
    });
  }
}

const mediaType = (header: string | undefined): string => (header ?? '').split(';')[0]!.trim().toLowerCase();

function sendWithWarnings({ res }: Exchange, code: number, body: object, warnings: string[]): void {
  const quoted = warnings.map(
    (text) => `299 - "${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`,
  );
  if (quoted.length > 0) res.setHeader('Warning', quoted);
  sendJson(res, code, body);
}
