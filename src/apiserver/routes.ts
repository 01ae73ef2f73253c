/** The Kubernetes REST paths of core/v1 and what each leads to. */
import type { AgentView } from '../server/agent-view.ts';
import { sendContainerLog } from '../server/container-logs.ts';
import { type Exchange, needsUpgrade, type Route, sendJson } from '../server/http.ts';
import { type KubeletApi, portForward } from '../server/kubelet-routes.ts';
import { defaultContainer, findPod } from '../server/pod-lookup.ts';
import { apiFlags, type StreamRequest, streamProcess } from '../server/streaming/exec.ts';
import {
  apiGroups,
  apiResources,
  apiVersions,
  openApiDocument,
  openApiIndex,
  versionInfo,
} from './discovery.ts';
import type { ObjectStore } from './object-store.ts';
import type { ResourceName } from './resources.ts';
import { create, getObject, list, patch, remove, replace } from './verbs.ts';

/** What the routes of the socket need. */
export interface LocalApi extends KubeletApi {
  objects: ObjectStore;
}

const podPath = '/api/v1/namespaces/{namespace}/pods/{name}';

export const apiRoutes = ({ agent, objects, streamIdleMs, log }: LocalApi): Route[] => [
  get('/version', ({ res }) => sendJson(res, 200, versionInfo())),
  get('/api', ({ res }) => sendJson(res, 200, apiVersions())),
  get('/apis', ({ res }) => sendJson(res, 200, apiGroups())),
  get('/api/v1', ({ res }) => sendJson(res, 200, apiResources())),
  get('/openapi/v3', ({ res }) => sendJson(res, 200, openApiIndex())),
  get('/openapi/v3/api/v1', ({ res }) => sendJson(res, 200, openApiDocument())),
  ...(['nodes', 'namespaces'] as const).map((resource) =>
    get(`/api/v1/${resource}/{name}`, (exchange) => getObject(of(resource, exchange), objects)),
  ),
  collection('/api/v1/{resource}', objects),
  collection('/api/v1/namespaces/{namespace}/{resource}', objects),
  item('/api/v1/namespaces/{namespace}/{resource}/{name}', objects),
  get(`${podPath}/status`, (exchange) => getObject(of('pods', exchange), objects)),
  {
    methods: ['GET', 'PUT', 'PATCH'],
    path: `${podPath}/resize`,
    handle: (exchange) =>
      resizeVerbs[exchange.method as keyof typeof resizeVerbs](of('pods', exchange), objects, 'resize'),
  },
  get(`${podPath}/log`, async (exchange) => {
    const { namespace = '', name = '' } = exchange.params;
    const pod = findPod(agent, namespace, name);
    await sendContainerLog(exchange, agent, pod, exchange.query.get('container') || defaultContainer(pod));
  }),
  processStream('exec', agent, streamIdleMs),
  processStream('attach', agent, streamIdleMs),
  portForward(`${podPath}/portforward`, { agent, streamIdleMs, log }),
];

const get = (path: string, handle: Route['handle']): Route => ({ methods: ['GET'], path, handle });

const collection = (path: string, objects: ObjectStore): Route => ({
  methods: ['GET', 'POST'],
  path,
  handle: (exchange) => (exchange.method === 'GET' ? list(exchange, objects) : create(exchange, objects)),
});

const itemVerbs = { GET: getObject, PUT: replace, PATCH: patch, DELETE: remove };

const resizeVerbs = { GET: getObject, PUT: replace, PATCH: patch };

const item = (path: string, objects: ObjectStore): Route => ({
  methods: Object.keys(itemVerbs),
  path,
  handle: (exchange) => itemVerbs[exchange.method as keyof typeof itemVerbs](exchange, objects),
});

const processStream = (kind: StreamRequest['kind'], agent: AgentView, idleMs: number): Route => ({
  methods: ['GET', 'POST'],
  path: `${podPath}/${kind}`,
  handle: needsUpgrade,
  upgrade: (exchange) => {
    const { namespace = '', name: pod = '' } = exchange.params;
    const container = exchange.query.get('container') ?? undefined;
    return streamProcess(exchange, agent, { kind, namespace, pod, container, flags: apiFlags, idleMs });
  },
});

const of = (resource: ResourceName, exchange: Exchange): Exchange => ({
  ...exchange,
  params: { ...exchange.params, resource },
});
