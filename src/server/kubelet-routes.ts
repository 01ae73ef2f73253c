/** The kubelet's own endpoints (`/pods`, `/containerLogs`, `/exec`, …) in the kubelet's shapes. */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { AgentView } from './agent-view.ts';
import { sendContainerLog } from './container-logs.ts';
import { needsUpgrade, type Route, sendJson, sendText } from './http.ts';
import type { MetricsText } from './metrics-text.ts';
import { findPod } from './pod-lookup.ts';
import type { LocalApi } from './server.ts';
import { summaryReader } from './stats/summary.ts';
import { kubeletFlags, type StreamRequest, streamProcess } from './streaming/exec.ts';
import { streamPorts } from './streaming/port-forward.ts';

export function kubeletRoutes({ agent, metrics, rootDir, log }: LocalApi): Route[] {
  const summary = summaryReader(agent, rootDir, log);
  let metricsWriter: MetricsText | undefined;
  const scrape = async (): Promise<MetricsText> => {
    const { metricsText } = await import('./metrics-text.ts');
    metricsWriter ??= metricsText(metrics, agent);
    return metricsWriter;
  };
  const get = (path: string, handle: Route['handle']): Route => ({
    methods: ['GET'],
    path,
    handle,
  });
  const stream = (kind: StreamRequest['kind'], path: string): Route => ({
    methods: ['GET', 'POST'],
    path,
    handle: needsUpgrade,
    upgrade: (exchange) => {
      const { namespace = '', pod = '', container } = exchange.params;
      return streamProcess(exchange, agent, { kind, namespace, pod, container, flags: kubeletFlags });
    },
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
    stream('exec', '/exec/{namespace}/{pod}/{container}'),
    stream('attach', '/attach/{namespace}/{pod}/{container}'),
    portForward('/portForward/{namespace}/{name}', agent, log),
    get('/stats/summary', async ({ res, signal }) => sendJson(res, 200, await summary.read(signal))),
    get('/metrics', async ({ res }) => {
      const { contentType, text } = await scrape();
      sendText(res, 200, await text(), contentType);
    }),
    get('/configz', ({ res }) => sendJson(res, 200, { kubeletconfig: agent.configz() })),
    get('/refusedManifests', ({ res }) => sendJson(res, 200, { items: agent.refusedManifests() })),
  ];
}

/** Of a path with the placeholders `namespace` and `name`. */
export const portForward = (path: string, agent: AgentView, log: Logger): Route => ({
  methods: ['GET', 'POST'],
  path,
  handle: needsUpgrade,
  upgrade: (exchange) => {
    const { namespace = '', name: pod = '' } = exchange.params;
    return streamPorts(exchange, agent, { namespace, pod, log });
  },
});

const podList = (items: Pod[]): object => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
