/** The gauges of `/metrics`: read from what is, whenever they are asked for. */
import { Gauge, type Registry } from 'prom-client';
import { counters } from '../metrics/definitions.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { podNamespace, podUid } from '../pods/identity.ts';
import { isStaticPod } from '../sources/source.ts';
import { kubernetesVersion } from '../version.ts';
import type { AgentView } from './agent-view.ts';

export function addGauges(registry: Registry, metrics: Metrics, agent: AgentView): void {
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
  addGauge(
    registry,
    'kubernetes_build_info',
    'The Kubernetes that this is like. The value is always 1.',
    ['git_version', 'platform'],
    (gauge) => gauge.set({ git_version: kubernetesVersion, platform: `linux/${process.arch}` }, 1),
  );
  addVolumes(registry, agent);
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
          used_bytes: space.capacityBytes - space.availableBytes,
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

function addGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  set: (gauge: Gauge<string>) => void | Promise<void>,
): void {
  new Gauge<string>({
    name,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      this.reset();
      await set(this);
    },
  });
}

const statusesOf = ({ status = {} }: ReturnType<AgentView['pods']>[number]) => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
];
