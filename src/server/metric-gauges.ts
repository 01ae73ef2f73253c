/** The gauges of `/metrics`: read from what is, whenever they are asked for. */
import type { Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { counters } from '../metrics/definitions.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type StartupMetric, startupMetrics } from '../metrics/node-startup.ts';
import { podNamespace, podUid } from '../pods/identity.ts';
import { kubernetesVersion } from '../version.ts';
import type { AgentView } from './agent-view.ts';
import { addGauge } from './gauge.ts';
import { addPods } from './pod-gauges.ts';

export function addGauges(
  registry: Registry,
  { metrics, agent, log }: { metrics: Metrics; agent: AgentView; log: Logger },
): void {
  addInflight(registry, metrics);
  for (const whose of ['server', 'client'] as const) {
    const name = `kubelet_certificate_manager_${whose}_ttl_seconds`;
    const help = `Seconds until the ${whose} certificate runs out, negative when it has.`;
    addGauge(registry, name, help, [], (gauge) => {
      const atMs = metrics.expiries.get(whose);
      gauge.set(atMs === undefined ? Number.POSITIVE_INFINITY : (atMs - Date.now()) / 1000);
    });
  }
  addPods(registry, agent);
  addGauge(registry, 'kubelet_node_name', "The node's name. The value is always 1.", ['node'], (gauge) =>
    gauge.set({ node: agent.nodeName }, 1),
  );
  addGauge(
    registry,
    'kubelet_pleg_last_seen_seconds',
    'When the runtimes were last listed, in seconds since the epoch.',
    [],
    (gauge) => gauge.set(agent.lastRelistMs() / 1000),
  );
  addGauge(registry, 'kubelet_cgroup_version', 'Of the cgroups that pods are in.', [], (gauge) =>
    gauge.set(agent.cgroupVersion),
  );
  for (const [name, help] of Object.entries(startupMetrics)) {
    addGauge(registry, name, help, [], (gauge) => {
      const seconds = metrics.startup.seconds().get(name as StartupMetric);
      if (seconds !== undefined) gauge.set(seconds);
    });
  }
  addGauge(
    registry,
    'kubernetes_build_info',
    'The Kubernetes that this is like. The value is always 1.',
    ['git_version', 'major', 'minor', 'platform'],
    (gauge) => {
      const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? [];
      gauge.set({ git_version: kubernetesVersion, major, minor, platform: `linux/${process.arch}` }, 1);
    },
  );
  addTotalVolumes(registry, agent, log);
  addVolumes(registry, agent);
}

/** Empty when a directory of a pod cannot be read: the other metrics are to be had all the same. */
function addTotalVolumes(registry: Registry, agent: AgentView, log: Logger): void {
  addGauge(
    registry,
    'volume_manager_total_volumes',
    'Volumes of pods that are there and that should be, by their kind.',
    ['plugin_name', 'state'],
    async (gauge) => {
      try {
        for (const { plugin_name, state } of await agent.volumes()) gauge.inc({ plugin_name, state });
      } catch (err) {
        log.warn({ err }, 'cannot count the volumes of pods for /metrics');
      }
    },
  );
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

const volumeGauges = {
  capacity_bytes: 'Size of the file system of the volume.',
  available_bytes: 'Room on the file system of the volume.',
  used_bytes: 'What is taken of the file system of the volume.',
  inodes: 'Inodes of the file system of the volume.',
  inodes_free: 'Free inodes of the file system of the volume.',
  inodes_used: 'Inodes of the file system of the volume that are taken.',
} as const;

/** Of claims alone, as by the kubelet; what cannot be read now is left out. */
function addVolumes(registry: Registry, agent: AgentView): void {
  const labels = ['namespace', 'persistentvolumeclaim'];
  for (const [name, help] of Object.entries(volumeGauges)) {
    addGauge(registry, `kubelet_volume_stats_${name}`, help, labels, async (gauge) => {
      for (const { namespace, claim, path } of claims(agent)) {
        const space = await agent.volumeSpace(path).catch(() => undefined);
        if (space === undefined) continue;
        const values: Record<keyof typeof volumeGauges, number> = {
          capacity_bytes: space.capacityBytes,
          available_bytes: space.availableBytes,
          used_bytes: space.usedBytes,
          inodes: space.inodes,
          inodes_free: space.inodesFree,
          inodes_used: space.inodes - space.inodesFree,
        };
        gauge.set({ namespace, persistentvolumeclaim: claim }, values[name as keyof typeof volumeGauges]);
      }
    });
  }
}

/** Each once, however many pods have it. */
function claims(agent: AgentView): { namespace: string; claim: string; path: string }[] {
  const found = agent.pods().flatMap((pod) =>
    agent.podVolumes(podUid(pod)).flatMap(({ claim, path }) => {
      const namespace = podNamespace(pod);
      return claim === undefined ? [] : [[`${namespace}/${claim}`, { namespace, claim, path }] as const];
    }),
  );
  return [...new Map(found).values()];
}
