/**
 * `/metrics`: what was counted as the Prometheus text, by prom-client. Loaded with the first scrape: an agent that
 * nobody scrapes does not pay for it.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { isStaticPod } from '../sources/source.ts';
import type { AgentView } from './agent-view.ts';
import { type CounterName, counters, type HistogramName, histograms, type Metrics } from './metrics.ts';

export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export function metricsText(metrics: Metrics, agent: AgentView): MetricsText {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of Object.keys(counters) as CounterName[]) addCounter(registry, name, metrics);
  for (const name of Object.keys(histograms) as HistogramName[]) {
    registry.registerMetric(new RecordedHistogram(name, metrics));
  }
  addGauge(registry, 'kubelet_running_pods', 'Pods that have a running container.', [], (gauge) =>
    gauge.set(agent.pods().filter((pod) => statusesOf(pod).some((each) => each.state?.running)).length),
  );
  addGauge(
    registry,
    'kubelet_running_containers',
    'Containers by their state.',
    ['container_state'],
    (gauge) => {
      const states = agent.pods().flatMap(statusesOf);
      gauge.set({ container_state: 'running' }, states.filter((each) => each.state?.running).length);
      gauge.set({ container_state: 'exited' }, states.filter((each) => each.state?.terminated).length);
      gauge.set(
        { container_state: 'created' },
        states.filter((each) => each.state?.waiting && each.containerID).length,
      );
    },
  );
  addGauge(
    registry,
    'kubelet_desired_pods',
    'Pods that should be here, by where they come from.',
    ['static'],
    (gauge) => {
      const ofFiles = agent.pods().filter(isStaticPod).length;
      gauge.set({ static: 'true' }, ofFiles);
      gauge.set({ static: '' }, agent.pods().length - ofFiles);
    },
  );
  addInflight(registry, metrics);
  for (const whose of ['server', 'client'] as const) {
    const name = `kubelet_certificate_manager_${whose}_ttl_seconds`;
    const help = `Seconds until the ${whose} certificate runs out, negative when it has.`;
    addGauge(registry, name, help, [], (gauge) => {
      const atMs = metrics.expiries.get(whose);
      gauge.set(atMs === undefined ? Number.POSITIVE_INFINITY : (atMs - Date.now()) / 1000);
    });
  }
  addGauge(
    registry,
    'kubelet_active_pods',
    'Pods that are counted when others are admitted.',
    ['static'],
    (gauge) => {
      const active = agent.pods().filter(({ status }) => !isFinal(status?.phase));
      const ofFiles = active.filter(isStaticPod).length;
      gauge.set({ static: 'true' }, ofFiles);
      gauge.set({ static: '' }, active.length - ofFiles);
    },
  );
  addGauge(
    registry,
    'kubelet_managed_ephemeral_containers',
    'Ephemeral containers of the pods.',
    [],
    (gauge) =>
      gauge.set(
        agent.pods().reduce((total, { spec }) => total + (spec?.ephemeralContainers?.length ?? 0), 0),
      ),
  );
  addResizes(registry, agent);
  addGauge(registry, 'kubelet_node_name', "The node's name. The value is always 1.", ['node'], (gauge) =>
    gauge.set({ node: agent.nodeName }, 1),
  );
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

/** Those that began and have not ended. */
function addInflight(registry: Registry, { counted, observed }: Metrics): void {
  const { labels: names } = counters.kubelet_http_requests_total;
  addGauge(
    registry,
    'kubelet_http_inflight_requests',
    'Requests to the kubelet API that are being answered.',
    [...names],
    (gauge) => {
      const ended = observed.get('kubelet_http_requests_duration_seconds');
      for (const [key, { labels, value }] of counted.get('kubelet_http_requests_total') ?? [])
        gauge.set(labels, value - (ended?.get(key)?.count ?? 0));
    },
  );
}

function addResizes(registry: Registry, agent: AgentView): void {
  const conditions = (type: string) =>
    agent.pods().flatMap(({ status }) => status?.conditions?.filter((c) => c.type === type) ?? []);
  addGauge(
    registry,
    'kubelet_pod_pending_resizes',
    'Pods whose resize is not allocated, by the reason.',
    ['reason'],
    (gauge) => {
      for (const reason of ['Deferred', 'Infeasible']) {
        const pending = conditions('PodResizePending').filter((each) => each.reason === reason);
        gauge.set({ reason: reason.toLowerCase() }, pending.length);
      }
    },
  );
  addGauge(
    registry,
    'kubelet_pod_in_progress_resizes',
    'Pods whose resize is allocated and not applied yet.',
    [],
    (gauge) => gauge.set(conditions('PodResizeInProgress').length),
  );
}

const isFinal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

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

function addGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  set: (gauge: Gauge<string>) => void,
): void {
  new Gauge<string>({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      set(this);
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

const statusesOf = ({ status = {} }: ReturnType<AgentView['pods']>[number]) => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
];
