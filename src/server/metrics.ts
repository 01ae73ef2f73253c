/**
 * What the agent counts and times, under the kubelet's metric names. Recording costs a map lookup and needs no library;
 * `metrics-text.ts`, loaded with the first scrape, turns it into the Prometheus text.
 */

/** Upper bounds in seconds, as the kubelet's histograms of the same names. */
const shortBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const startBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700,
  3600,
];
const operationBuckets = [
  0.005, 0.0125, 0.03125, 0.078125, 0.1953125, 0.48828125, 1.220703125, 3.0517578125, 7.62939453125,
  19.073486328125,
];

export const counters = {
  kubelet_runtime_operations_total: {
    help: 'Calls to the container runtime by operation type.',
    labels: ['operation_type'],
  },
  kubelet_runtime_operations_errors_total: {
    help: 'Calls to the container runtime that failed, by operation type.',
    labels: ['operation_type'],
  },
  kubelet_started_pods_total: { help: 'Pod sandboxes started.', labels: [] },
  kubelet_started_pods_errors_total: { help: 'Pod sandboxes that failed to start.', labels: [] },
  kubelet_started_containers_total: { help: 'Containers started.', labels: ['container_type'] },
  kubelet_started_containers_errors_total: {
    help: 'Containers that failed to start.',
    labels: ['container_type', 'code'],
  },
  kubelet_http_requests_total: {
    help: 'Requests to the kubelet API, refused ones included.',
    labels: ['method', 'path', 'server_type', 'long_running'],
  },
} as const;

export const histograms = {
  kubelet_pod_start_duration_seconds: {
    help: 'From the pod being seen for the first time to its containers running.',
    labels: [],
    buckets: startBuckets,
  },
  kubelet_pod_worker_duration_seconds: {
    help: 'One round of a pod worker, by its type.',
    labels: ['operation_type'],
    buckets: shortBuckets,
  },
  kubelet_runtime_operations_duration_seconds: {
    help: 'Calls to the container runtime by operation type.',
    labels: ['operation_type'],
    buckets: operationBuckets,
  },
  kubelet_pleg_relist_duration_seconds: {
    help: 'One listing of all that the runtimes have.',
    labels: [],
    buckets: shortBuckets,
  },
  kubelet_http_requests_duration_seconds: {
    help: 'How long requests to the kubelet API took.',
    labels: ['method', 'path', 'server_type', 'long_running'],
    buckets: shortBuckets,
  },
  kubelet_pleg_relist_interval_seconds: {
    help: 'Time between two listings of all that the runtimes have.',
    labels: [],
    buckets: shortBuckets,
  },
} as const;

export type CounterName = keyof typeof counters;
export type HistogramName = keyof typeof histograms;
type LabelsOf<D extends { labels: readonly string[] }> = { readonly [L in D['labels'][number]]: string };

/** The one that the kubelet API shows, and the one that the API server is shown. */
export type CertificateOwner = 'server' | 'client';

export interface Metrics {
  count<N extends CounterName>(name: N, labels: LabelsOf<(typeof counters)[N]>): void;
  observe<N extends HistogramName>(name: N, seconds: number, labels: LabelsOf<(typeof histograms)[N]>): void;
  /** The newest certificate of ours is good until then (epoch). */
  expires(whose: CertificateOwner, atMs: number): void;
  readonly expiries: ReadonlyMap<CertificateOwner, number>;
  /** Every series so far, for the text. */
  readonly counted: ReadonlyMap<CounterName, ReadonlyMap<string, CounterSeries>>;
  readonly observed: ReadonlyMap<HistogramName, ReadonlyMap<string, HistogramSeries>>;
}

export interface CounterSeries {
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface HistogramSeries {
  labels: Readonly<Record<string, string>>;
  /** Observations in each bucket alone, not cumulated; the last is beyond all bounds. */
  bucketCounts: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const counted = new Map<CounterName, Map<string, CounterSeries>>();
  const observed = new Map<HistogramName, Map<string, HistogramSeries>>();
  const expiries = new Map<CertificateOwner, number>();
  return {
    counted,
    observed,
    expiries,
    expires: (whose, atMs) => expiries.set(whose, atMs),
    count: (name, labels) => {
      seriesOf(counted, name, labels, () => ({ labels, value: 0 })).value += 1;
    },
    observe: (name, seconds, labels) => {
      const bounds = histograms[name].buckets;
      const series = seriesOf(observed, name, labels, () => ({
        labels,
        bucketCounts: new Array(bounds.length + 1).fill(0),
        sum: 0,
        count: 0,
      }));
      const index = bounds.findIndex((bound) => seconds <= bound);
      series.bucketCounts[index < 0 ? bounds.length : index]! += 1;
      series.sum += seconds;
      series.count += 1;
    },
  };
}

function seriesOf<N, S>(
  all: Map<N, Map<string, S>>,
  name: N,
  labels: Readonly<Record<string, string>>,
  make: () => S,
): S {
  let series = all.get(name);
  if (!series) {
    series = new Map();
    all.set(name, series);
  }
  const key = JSON.stringify(labels);
  let one = series.get(key);
  if (!one) {
    one = make();
    series.set(key, one);
  }
  return one;
}
