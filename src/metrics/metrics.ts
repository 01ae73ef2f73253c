/**
 * What the agent counts and times, under the kubelet's metric names. Recording costs a map lookup and needs no library;
 * `server/metrics-text.ts`, loaded with the first scrape, turns it into the Prometheus text.
 */

import { type counters, histograms } from './definitions.ts';
import { type NodeStartup, nodeStartup } from './node-startup.ts';

export type CounterName = keyof typeof counters;
export type HistogramName = keyof typeof histograms;
type LabelsOf<D extends { labels: readonly string[] }> = { readonly [L in D['labels'][number]]: string };

/** The one that the kubelet API shows, and the one that the API server is shown. */
export type CertificateOwner = 'server' | 'client';

export interface Metrics {
  count<N extends CounterName>(name: N, labels: LabelsOf<(typeof counters)[N]>): void;
  observe<N extends HistogramName>(name: N, value: number, labels: LabelsOf<(typeof histograms)[N]>): void;
  /** The newest certificate of ours is good until then (epoch). */
  expires(whose: CertificateOwner, atMs: number): void;
  readonly expiries: ReadonlyMap<CertificateOwner, number>;
  readonly startup: NodeStartup;
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
    startup: nodeStartup(),
    expires: (whose, atMs) => expiries.set(whose, atMs),
    count: (name, labels) => {
      seriesOf(counted, name, labels, () => ({ labels, value: 0 })).value += 1;
    },
    observe: (name, value, labels) => {
      const bounds = histograms[name].buckets;
      const series = seriesOf(observed, name, labels, () => ({
        labels,
        bucketCounts: new Array(bounds.length + 1).fill(0),
        sum: 0,
        count: 0,
      }));
      const index = bounds.findIndex((bound) => value <= bound);
      series.bucketCounts[index < 0 ? bounds.length : index]! += 1;
      series.sum += value;
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
