/** Counts and times the requests to the API server, under the names of client-go. */
import type { Metrics } from '../metrics/metrics.ts';
import type { ApiConnection } from './connection.ts';

export function measuredConnection(
  connection: ApiConnection,
  host: string,
  metrics: Pick<Metrics, 'count' | 'observe'>,
): ApiConnection {
  return {
    renew: () => connection.renew(),
    onRegained: (listener) => connection.onRegained(listener),
    close: () => connection.close(),
    async request(request, signal) {
      const { method } = request;
      const startedMs = performance.now();
      // As client-go tells of requests that got no answer.
      let code = '<error>';
      try {
        const answer = await connection.request(request, signal);
        code = `${answer.status}`;
        return answer;
      } finally {
        const seconds = (performance.now() - startedMs) / 1000;
        metrics.count('rest_client_requests_total', { code, method, host });
        metrics.observe('rest_client_request_duration_seconds', seconds, { host, verb: method });
      }
    },
  };
}
