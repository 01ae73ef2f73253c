/** What health checks came to, for `/metrics/slis`: each as it is, and how often it passed and failed so far. */
import type { HealthCheck } from './agent-view.ts';
import { type MetricFamily, processStartTime } from './exposition.ts';

export interface HealthLog {
  /** Somebody asked for all of them. */
  note(checks: readonly HealthCheck[]): void;
  /** Nothing before the first time. */
  families(): MetricFamily[];
}

export function healthLog(): HealthLog {
  const counts = new Map<string, { success: number; error: number; last: 0 | 1 }>();
  return {
    note(checks) {
      for (const { name, error } of checks) {
        const { success, error: failed } = counts.get(name) ?? { success: 0, error: 0 };
        const isOk = error === undefined;
        counts.set(name, {
          success: success + Number(isOk),
          error: failed + Number(!isOk),
          last: isOk ? 1 : 0,
        });
      }
    },
    families: () => [
      {
        name: 'kubernetes_healthcheck',
        help: 'What each health check came to last: 1 for healthy.',
        type: 'gauge',
        samples: [...counts].map(([name, { last }]) => ({ labels: { name, type }, value: last })),
      },
      {
        name: 'kubernetes_healthchecks_total',
        help: 'What each health check came to so far.',
        type: 'counter',
        samples: [...counts].flatMap(([name, { success, error }]) =>
          Object.entries({ success, error })
            .filter(([, value]) => value > 0)
            .map(([status, value]) => ({ labels: { name, status, type }, value })),
        ),
      },
      processStartTime(),
    ],
  };
}

const type = 'healthz';
