/** The kubelet's own endpoints (`/pods`, `/containerLogs`, `/exec`, …) in the kubelet's shapes. */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { AgentView } from './agent-view.ts';
import { checkpointContainer } from './checkpoint.ts';
import { sendContainerLog } from './container-logs.ts';
import { ApiError } from './errors.ts';
import { exposition, expositionType, type MetricFamily } from './exposition.ts';
import { type HealthApi, healthRoutes } from './health.ts';
import { type Exchange, needsUpgrade, type Route, sendJson, sendText } from './http.ts';
import type { MetricsText } from './metrics-text.ts';
import { findPod } from './pod-lookup.ts';
import { runCommand } from './run.ts';
import { summaryReader } from './stats/summary.ts';
import { kubeletFlags, type StreamRequest, streamProcess } from './streaming/exec.ts';
import { streamPorts } from './streaming/port-forward.ts';

/** What the kubelet's endpoints need. */
export interface KubeletApi extends HealthApi {
  agent: AgentView;
  metrics: Metrics;
  /** On the node's file system. */
  rootDir: string;
  /** Ends a stream that carries nothing for so long; 0: never. */
  streamIdleMs: number;
  log: Logger;
}

/** Those that only look; the kubelet serves them on its read-only port too. */
export function observingRoutes(api: KubeletApi): Route[] {
  const { agent, metrics, rootDir, log } = api;
  const summary = summaryReader(agent, rootDir, log);
  let metricsWriter: MetricsText | undefined;
  const scrape = async (): Promise<MetricsText> => {
    const { metricsText } = await import('./metrics-text.ts');
    metricsWriter ??= metricsText({ metrics, agent, log });
    return metricsWriter;
  };
  return [
    ...healthRoutes(api),
    get('/pods', ({ res }) => sendJson(res, 200, podList(agent.pods()))),
    get('/stats/summary', async ({ res, signal }) => sendJson(res, 200, await summary.read(signal))),
    get('/metrics', async ({ res }) => {
      const { contentType, text } = await scrape();
      sendText(res, 200, await text(), contentType);
    }),
    get('/metrics/resource', async (exchange) => {
      const { resourceMetrics } = await import('./stats/resource-metrics.ts');
      sendMetrics(exchange, await resourceMetrics(agent, exchange.signal));
    }),
    get('/metrics/cadvisor', async (exchange) => {
      const { cadvisorMetrics } = await import('./stats/cadvisor-metrics.ts');
      sendMetrics(exchange, await cadvisorMetrics(agent, exchange.signal));
    }),
    get('/metrics/probes', async (exchange) => {
      const { probeMetrics } = await import('./stats/probe-metrics.ts');
      sendMetrics(exchange, probeMetrics(agent.probes()));
    }),
    get('/metrics/slis', (exchange) => sendMetrics(exchange, api.healthLog.families())),
  ];
}

export interface DebuggingOptions {
  systemLogs: boolean;
  profiling: boolean;
}

/** Those that look into containers or change something. */
export function debuggingRoutes(
  { agent, rootDir, streamIdleMs, log }: KubeletApi,
  { systemLogs, profiling }: DebuggingOptions,
): Route[] {
  const stream = (kind: StreamRequest['kind']): Route[] =>
    containerPaths(`/${kind}`).map((path) => ({
      methods: ['GET', 'POST'],
      path,
      handle: needsUpgrade,
      upgrade: (exchange) => {
        const { namespace = '', pod = '', uid, container } = exchange.params;
        const target = { namespace, pod, uid, container };
        return streamProcess(exchange, agent, { kind, ...target, flags: kubeletFlags, idleMs: streamIdleMs });
      },
    }));
  return [
    get('/runningpods', async ({ res, signal }) =>
      sendJson(res, 200, podList(await agent.runningPods(signal))),
    ),
    get('/containerLogs/{namespace}/{pod}/{container}', async (exchange) => {
      const { namespace = '', pod = '', container = '' } = exchange.params;
      await sendContainerLog(exchange, agent, findPod(agent, namespace, pod), container);
    }),
    ...stream('exec'),
    ...stream('attach'),
    ...['/portForward/{namespace}/{name}', '/portForward/{namespace}/{name}/{uid}'].map((path) =>
      portForward(path, { agent, streamIdleMs, log }),
    ),
    ...containerPaths('/run').map(
      (path): Route => ({ methods: ['POST'], path, handle: (exchange) => runCommand(exchange, agent) }),
    ),
    {
      methods: ['POST'],
      path: '/checkpoint/{namespace}/{pod}/{container}',
      handle: (exchange) => checkpointContainer(exchange, agent, rootDir),
    },
    get('/configz', ({ res }) => sendJson(res, 200, { kubeletconfig: agent.configz() })),
    systemLogs
      ? get('/logs/{rest*}', async (exchange) => {
          const { sendSystemLog } = await import('./system-logs.ts');
          await sendSystemLog(exchange, '/var/log', exchange.params.rest ?? '');
        })
      : disabled('/logs/{rest*}', 'logs endpoint is disabled.'),
    profiling
      ? get('/debug/pprof/{name*}', async (exchange) => {
          const { sendProfile } = await import('./profiling.ts');
          await sendProfile(exchange, exchange.params.name ?? '');
        })
      : disabled('/debug/pprof/{rest*}', 'profiling endpoint is disabled.'),
    // The level of the log is the configuration's alone.
    disabled('/debug/flags/v', 'flags endpoint is disabled.'),
  ];
}

/** In place of the debugging routes: what is off says so. */
export const debuggingDisabledRoutes = (): Route[] =>
  ['run', 'exec', 'attach', 'portForward', 'containerLogs', 'runningpods', 'debug/pprof', 'logs'].map(
    (name) => disabled(`/${name}/{rest*}`, 'Debug endpoints are disabled.'),
  );

/** Of a path with the placeholders `namespace`, `name` and perhaps `uid`. */
export const portForward = (
  path: string,
  { agent, streamIdleMs: idleMs, log }: Pick<KubeletApi, 'agent' | 'streamIdleMs' | 'log'>,
): Route => ({
  methods: ['GET', 'POST'],
  path,
  handle: needsUpgrade,
  upgrade: (exchange) => {
    const { namespace = '', name: pod = '', uid } = exchange.params;
    return streamPorts(exchange, agent, { namespace, pod, uid, idleMs, log });
  },
});

const get = (path: string, handle: Route['handle']): Route => ({ methods: ['GET'], path, handle });

const disabled = (path: string, why: string): Route => {
  const refuse = (): never => {
    throw new ApiError('MethodNotAllowed', why);
  };
  return { methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], path, handle: refuse, upgrade: refuse };
};

/** The kubelet takes the pod's uid before the container, for who means this pod and no later one of its name. */
const containerPaths = (prefix: string): string[] => [
  `${prefix}/{namespace}/{pod}/{container}`,
  `${prefix}/{namespace}/{pod}/{uid}/{container}`,
];

function sendMetrics({ res }: Exchange, families: readonly MetricFamily[]): void {
  sendText(res, 200, exposition(families), expositionType);
}

const podList = (items: Pod[]): object => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
