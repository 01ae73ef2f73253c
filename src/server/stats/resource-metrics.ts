/** `/metrics/resource`: what metrics-server reads of the node, its pods and containers, each with when it was measured. */
import type { ContainerStats } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { containerNameLabel, podName, podNamespace, podUid, podUidLabel } from '../../pods/identity.ts';
import type { CgroupDetails } from '../../resources/cgroup-details.ts';
import type { AgentView, PodUsage } from '../agent-view.ts';
import type { MetricFamily, MetricSample } from '../exposition.ts';
import { containerStatusOf } from '../pod-lookup.ts';
import { nodeUsage } from './node-usage.ts';

export async function resourceMetrics(agent: AgentView, signal: AbortSignal): Promise<MetricFamily[]> {
  try {
    return [...(await measured(agent, signal)), scrapeError(0)];
  } catch (err) {
    signal.throwIfAborted();
    // Told by the metric, as the kubelet does: a scrape that fails says nothing to who reads the others.
    if (err instanceof Error) return [scrapeError(1)];
    throw err;
  }
}

async function measured(agent: AgentView, signal: AbortSignal): Promise<MetricFamily[]> {
  const [node, stats] = await Promise.all([nodeUsage(Date.now()), agent.containerStats(signal)]);
  const pods = new Map(agent.pods().map((pod) => [podUid(pod), pod]));
  const withContainers = new Set(stats.map((each) => each.labels[podUidLabel] ?? ''));
  const cgroups = new Map(
    await Promise.all([...withContainers].map(async (uid) => [uid, await agent.podCgroups(uid)] as const)),
  );
  const containers = stats.flatMap((each) => {
    const uid = each.labels[podUidLabel] ?? '';
    const pod = pods.get(uid);
    const own = cgroups
      .get(uid)
      ?.slice(1)
      .find(({ path }) => path.includes(each.id));
    return pod === undefined ? [] : [containerSamples(pod, each, own?.details)];
  });
  const usages = await Promise.all(
    [...withContainers].flatMap((uid) => {
      const pod = pods.get(uid);
      const details = cgroups.get(uid)?.[0]?.details;
      return pod === undefined ? [] : [agent.podUsage(uid).then((usage) => podSamples(pod, usage, details))];
    }),
  );
  const at = { timestampMs: node.timestampMs };
  return [
    gauge('container_start_time_seconds', 'When the container started, in seconds since the epoch.', [
      ...containers.flatMap(({ startTime }) => startTime ?? []),
    ]),
    counter('container_cpu_usage_seconds_total', 'CPU time that the container has used.', [
      ...containers.flatMap(({ cpu }) => cpu ?? []),
    ]),
    gauge('container_memory_working_set_bytes', 'Working set of the container.', [
      ...containers.flatMap(({ memory }) => memory ?? []),
    ]),
    gauge('container_swap_usage_bytes', 'Swap that the container uses.', [
      ...containers.flatMap(({ swap }) => swap ?? []),
    ]),
    gauge('container_swap_limit_bytes', 'Limit of swap of the container, 0 for none.', [
      ...containers.flatMap(({ swapLimit }) => swapLimit ?? []),
    ]),
    counter('node_cpu_usage_seconds_total', 'CPU time that the node has used.', [
      { value: seconds(node.cpuUsageCoreNanoSeconds), ...at },
    ]),
    gauge('node_memory_working_set_bytes', 'Working set of the node.', [
      { value: node.memory.workingSetBytes, ...at },
    ]),
    gauge('node_swap_usage_bytes', 'Swap that the node uses.', [{ value: node.swap.usageBytes, ...at }]),
    counter('pod_cpu_usage_seconds_total', 'CPU time that the pod has used.', [
      ...usages.flatMap(({ cpu }) => cpu ?? []),
    ]),
    gauge('pod_memory_working_set_bytes', 'Working set of the pod.', [
      ...usages.flatMap(({ memory }) => memory ?? []),
    ]),
    gauge('pod_swap_usage_bytes', 'Swap that the pod uses.', [...usages.flatMap(({ swap }) => swap ?? [])]),
  ];
}

interface Samples {
  cpu?: MetricSample;
  memory?: MetricSample;
  swap?: MetricSample;
  swapLimit?: MetricSample;
}

function containerSamples(
  pod: Pod,
  stats: ContainerStats,
  details: CgroupDetails | undefined,
): Samples & { startTime?: MetricSample } {
  const container = stats.labels[containerNameLabel] ?? stats.metadata.name;
  const labels = { container, pod: podName(pod), namespace: podNamespace(pod) };
  const startedAt = containerStatusOf(pod, container)?.state?.running?.startedAt;
  return {
    ...usageSamples(labels, stats, details),
    ...(startedAt && { startTime: { labels, value: Date.parse(startedAt) / 1000 } }),
  };
}

const podSamples = (pod: Pod, usage: PodUsage | undefined, details: CgroupDetails | undefined): Samples =>
  usage === undefined
    ? {}
    : usageSamples({ pod: podName(pod), namespace: podNamespace(pod) }, usage, details);

function usageSamples(
  labels: Record<string, string>,
  usage: PodUsage,
  { swapBytes: swap, swapLimitBytes: swapLimit }: Partial<CgroupDetails> = {},
): Samples {
  const { timestampMs, cpuUsageCoreNanoSeconds: cpu, memoryWorkingSetBytes: memory } = usage;
  return {
    ...(cpu !== undefined && { cpu: { labels, value: seconds(cpu), timestampMs } }),
    ...(memory !== undefined && { memory: { labels, value: memory, timestampMs } }),
    ...(swap !== undefined && { swap: { labels, value: swap, timestampMs } }),
    ...(swapLimit !== undefined && { swapLimit: { labels, value: swapLimit, timestampMs } }),
  };
}

const scrapeError = (value: number): MetricFamily =>
  gauge('resource_scrape_error', '1 when something could not be measured, else 0.', [{ value }]);

const gauge = (name: string, help: string, samples: MetricSample[]): MetricFamily => ({
  name,
  help,
  type: 'gauge',
  samples,
});

const counter = (name: string, help: string, samples: MetricSample[]): MetricFamily => ({
  name,
  help,
  type: 'counter',
  samples,
});

const seconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e9;
