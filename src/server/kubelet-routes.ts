/** The kubelet's own endpoints (`/pods`, `/containerLogs`, `/exec`, …) in the kubelet's shapes. */
import type { Pod } from '../api/core.gen.ts';
import { sendContainerLog } from './container-logs.ts';
import { type Route, routePath, sendJson } from './http.ts';
import { findPod } from './pod-lookup.ts';
import type { LocalApi } from './server.ts';

export function kubeletRoutes({ agent }: LocalApi): Route[] {
  const get = (template: string, handle: Route['handle']): Route => ({
    methods: ['GET'],
    path: routePath(template),
    handle,
  });
  return [
    get('/pods', ({ res }) => sendJson(res, 200, podList(agent.pods()))),
    get('/runningpods', async ({ res, signal }) =>
      sendJson(res, 200, podList(await agent.runningPods(signal))),
    ),
    get('/containerLogs/{namespace}/{pod}/{container}', async (exchange) => {
      const { namespace = '', pod = '', container = '' } = exchange.params;
      await sendContainerLog(exchange, agent, findPod(agent, namespace, pod), container);
    }),
    get('/configz', ({ res }) => sendJson(res, 200, { kubeletconfig: agent.configz() })),
    get('/refusedManifests', ({ res }) => sendJson(res, 200, { items: agent.refusedManifests() })),
  ];
}

const podList = (items: Pod[]): object => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
