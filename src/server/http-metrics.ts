/** How the kubelet's metrics name a request: by a few paths and methods, so that no client can make series of its own. */
import type { Metrics } from '../metrics/metrics.ts';

export interface RequestLabels {
  readonly method: string;
  readonly path: string;
  readonly server_type: 'readonly' | 'readwrite';
  readonly long_running: 'true' | 'false';
}

export function requestLabels(
  method: string,
  path: string,
  serverType: RequestLabels['server_type'],
): RequestLabels {
  const [, first = '', second] = path.split('/');
  const name = first === 'metrics' && second !== undefined ? `${first}/${second}` : first;
  return {
    method: methods.has(method) ? method : 'other',
    path: paths.has(name) ? name : 'other',
    server_type: serverType,
    long_running: longRunning.has(name) ? 'true' : 'false',
  };
}

/** Begins to measure; the function that comes back ends it. */
export function measureRequest(metrics: Metrics, labels: RequestLabels): () => void {
  const startedMs = performance.now();
  metrics.count('kubelet_http_requests_total', labels);
  return () =>
    metrics.observe('kubelet_http_requests_duration_seconds', (performance.now() - startedMs) / 1000, labels);
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']);

const paths = new Set([
  ...['healthz', 'pods', 'stats', 'metrics', 'metrics/cadvisor', 'metrics/probes', 'metrics/resource'],
  ...['run', 'exec', 'attach', 'portForward', 'containerLogs', 'configz', 'runningpods', 'checkpoint'],
  ...['logs', 'debug'],
]);

const longRunning = new Set(['exec', 'attach', 'portForward', 'debug']);
