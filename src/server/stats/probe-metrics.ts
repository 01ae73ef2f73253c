/** `/metrics/probes`: the probes of the containers that run now; those of earlier ones are gone with them. */

import { shortBuckets } from '../../metrics/definitions.ts';
import { podName, podNamespace, podUid } from '../../pods/identity.ts';
import type { ProbeSummary } from '../../probes/manager.ts';
import { type MetricFamily, type MetricSample, processStartTime } from '../exposition.ts';

export const probeMetrics = (probes: readonly ProbeSummary[]): MetricFamily[] => [
  {
    name: 'prober_probe_total',
    help: 'Probes by their result.',
    type: 'counter',
    samples: probes.flatMap((probe) =>
      Object.entries(probe.attempts).map(([result, value]) => ({
        labels: { ...labelsOf(probe), result },
        value,
      })),
    ),
  },
  {
    name: 'prober_probe_duration_seconds',
    help: 'How long successful probes took.',
    type: 'histogram',
    samples: probes.flatMap(durations),
  },
  {
    name: 'roslet_probe_latency_seconds',
    help: 'How long probes took.',
    type: 'gauge',
    samples: probes.flatMap((probe) => {
      const { p50Ms, p99Ms, maxMs } = probe.latencies;
      const quantiles = { '0.5': p50Ms, '0.99': p99Ms, '1': maxMs };
      return Object.entries(quantiles).map(([quantile, ms]) => ({
        labels: { ...labelsOf(probe), quantile },
        value: ms / 1000,
      }));
    }),
  },
  processStartTime(),
];

/** The kubelet has no uid in the labels of this one. */
function durations(probe: ProbeSummary): MetricSample[] {
  const found = probe.latencyCounts?.(shortBuckets.map((seconds) => seconds * 1000));
  if (found === undefined) return [];
  const { pod_uid: _, ...labels } = labelsOf(probe);
  const bounds = [...shortBuckets.map(String), '+Inf'];
  return [
    ...[...found.atMost, found.count].map(
      (value, index): MetricSample => ({
        suffix: '_bucket',
        labels: { ...labels, le: bounds[index] ?? '' },
        value,
      }),
    ),
    { suffix: '_sum', labels, value: found.sumMs / 1000 },
    { suffix: '_count', labels, value: found.count },
  ];
}

const labelsOf = ({ pod, container, kind }: ProbeSummary): Record<string, string> => ({
  probe_type: `${kind[0]?.toUpperCase()}${kind.slice(1)}`,
  container,
  pod: podName(pod),
  namespace: podNamespace(pod),
  pod_uid: podUid(pod),
});
