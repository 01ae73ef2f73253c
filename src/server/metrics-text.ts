/**
 * `/metrics`: what was counted as the Prometheus text, by prom-client. Loaded with the first scrape: an agent that
 * nobody scrapes does not pay for it.
 */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { counters, histograms } from '../metrics/definitions.ts';
import type { CounterName, HistogramName, Metrics } from '../metrics/metrics.ts';
import type { AgentView } from './agent-view.ts';
import { addGauges } from './metric-gauges.ts';

export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export function metricsText(parts: { metrics: Metrics; agent: AgentView; log: Logger }): MetricsText {
  const { metrics } = parts;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of Object.keys(counters) as CounterName[]) addCounter(registry, name, metrics);
  for (const name of Object.keys(histograms) as HistogramName[]) {
    registry.registerMetric(new RecordedHistogram(name, metrics));
  }
  addGauges(registry, parts);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

function addCounter(registry: Registry, name: CounterName, metrics: Metrics): void {
  const { help, labels } = counters[name];
  new Counter<string>({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset();
      for (const series of metrics.counted.get(name)?.values() ?? []) this.inc(series.labels, series.value);
    },
  });
}

/** A histogram whose observations were made elsewhere; prom-client only writes them down. */
class RecordedHistogram extends Histogram<string> {
  readonly #name: HistogramName;
  readonly #metrics: Metrics;

  constructor(name: HistogramName, metrics: Metrics) {
    const { help, labels, buckets } = histograms[name];
    super({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [] });
    this.#name = name;
    this.#metrics = metrics;
  }

  /** What both `get` and the text are made from. It has no type of its own in the library. */
  async getForPromString(): Promise<object> {
    const { help, buckets } = histograms[this.#name];
    const values: Sample[] = [];
    for (const { labels, bucketCounts, sum, count } of this.#metrics.observed.get(this.#name)?.values() ??
      []) {
      let below = 0;
      for (const [index, bound] of [...buckets, '+Inf' as const].entries()) {
        below += bucketCounts[index] ?? 0;
        values.push({ metricName: `${this.#name}_bucket`, labels: { ...labels, le: bound }, value: below });
      }
      values.push({ metricName: `${this.#name}_sum`, labels, value: sum });
      values.push({ metricName: `${this.#name}_count`, labels, value: count });
    }
    return { name: this.#name, help, type: 'histogram', aggregator: 'sum', values };
  }
}

interface Sample {
  metricName: string;
  labels: Readonly<Record<string, string | number>>;
  value: number;
}
