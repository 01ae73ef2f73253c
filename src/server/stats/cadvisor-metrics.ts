/**
 * `/metrics/cadvisor`: containers, pods and the machine under the names that cAdvisor gives them, which dashboards and
 * alerts are written for. What the kernel does not tell of a cgroup is not there.
 */
import { cpus, totalmem } from 'node:os';
import type { ContainerStats } from '../../../runtime/runtime.ts';
import type { NodeSystemInfo, Pod } from '../../api/core.gen.ts';
import { containerNameLabel, podName, podNamespace, podUid, podUidLabel } from '../../pods/identity.ts';
import type { CgroupDetails } from '../../resources/cgroup-details.ts';
import type { MeasuredCgroup } from '../../resources/cgroups.ts';
import type { AgentView, PodUsage } from '../agent-view.ts';
import type { MetricFamily, MetricSample } from '../exposition.ts';
import { containerStatusOf } from '../pod-lookup.ts';
import { machineDevices } from './block-devices.ts';
import { type CgroupFamily, cgroupFamilies } from './cadvisor-families.ts';
import { machineDisks } from './machine-disks.ts';
import { type InterfaceUsage, machineNetwork } from './network-usage.ts';
import { type FilesystemSpace, type NodeUsage, nodeUsage } from './node-usage.ts';

export async function cadvisorMetrics(agent: AgentView, signal: AbortSignal): Promise<MetricFamily[]> {
  const stats = await agent.containerStats(signal);
  const pods = await agent.podsCgroup();
  const own = await agent.agentCgroup();
  const node = await nodeUsage(Date.now());
  const none = { container: '', image: '', name: '', namespace: '', pod: '' };
  const measured: Measured[] = [
    {
      labels: { ...none, id: '/' },
      usage: machineUsage(node),
      details: { blockDevices: await machineDevices(), pressure: node.pressure },
    },
    ...[pods, ...(own === undefined ? [] : [own])].map(({ path, stats: usage, details }) => ({
      labels: { ...none, id: path },
      usage,
      details,
    })),
  ];
  const interfaces: NetworkSample[] = (await machineNetwork())
    .filter(({ name }) => !ofContainers.test(name))
    .map((usage) => ({ labels: { ...none, id: '/', interface: usage.name }, usage }));
  for (const pod of agent.pods()) {
    const own = stats.filter((each) => each.labels[podUidLabel] === podUid(pod));
    if (own.length === 0) continue;
    const [cgroup, ...inside] = await agent.podCgroups(podUid(pod));
    measured.push(...own.map((each) => ofContainer(pod, each, inside)));
    const labels = labelsOf(pod, { id: cgroup?.path ?? `pod${podUid(pod)}` });
    if (cgroup !== undefined) measured.push({ labels, usage: cgroup.stats, details: cgroup.details });
    for (const each of (await agent.podNetwork(podUid(pod))) ?? []) {
      interfaces.push({ labels: { ...labels, interface: each.name }, usage: each });
    }
  }
  const disks = (await machineDisks(agent.volumeSpace)).map(({ device, space }) => ({
    labels: { ...none, id: '/', device },
    space,
  }));
  return [
    about(agent.node().status?.nodeInfo),
    ...families.map((family) => collected(family, measured)),
    ...diskFamilies.map((family) => diskFamily(family, disks, measured)),
    ...cgroupFamilies.map((family) => detailed(family, measured)),
    ...networkFamilies.map((family) => networkFamily(family, interfaces)),
    ...machine(node.swap.capacityBytes, agent.node().status?.nodeInfo),
  ];
}

interface Measured {
  labels: Readonly<Record<string, string>>;
  usage: Partial<ContainerStats> & PodUsage;
  /** Where it has a cgroup. */
  details?: CgroupDetails;
  startedAt?: string;
}

const machineUsage = ({ timestampMs, cpuUsageCoreNanoSeconds, memory, processes }: NodeUsage): PodUsage => ({
  timestampMs,
  cpuUsageCoreNanoSeconds,
  memoryUsageBytes: memory.usageBytes,
  memoryWorkingSetBytes: memory.workingSetBytes,
  memoryRssBytes: memory.rssBytes,
  processCount: processes.current,
});

function ofContainer(pod: Pod, stats: ContainerStats, cgroups: readonly MeasuredCgroup[]): Measured {
  const container = stats.labels[containerNameLabel] ?? stats.metadata.name;
  const cgroup = cgroups.find(({ path }) => path.includes(stats.id));
  const status = containerStatusOf(pod, container);
  return {
    labels: labelsOf(pod, {
      container,
      id: cgroup?.path ?? stats.id,
      image: status?.image ?? '',
      name: stats.id,
    }),
    usage: { ...stats, processCount: cgroup?.stats.processCount },
    details: cgroup?.details,
    startedAt: status?.state?.running?.startedAt,
  };
}

/** All samples of a family have the same labels: those that do not apply are empty. */
const labelsOf = (pod: Pod, own: Readonly<Record<string, string>>): Record<string, string> => ({
  container: '',
  image: '',
  name: '',
  namespace: podNamespace(pod),
  pod: podName(pod),
  ...own,
});

interface Family extends Omit<MetricFamily, 'samples'> {
  labels?: Readonly<Record<string, string>>;
  value(measured: Measured): number | undefined;
}

const families: readonly Family[] = [
  {
    name: 'container_cpu_usage_seconds_total',
    help: 'CPU time used.',
    type: 'counter',
    labels: { cpu: 'total' },
    value: ({ usage }) =>
      usage.cpuUsageCoreNanoSeconds === undefined ? undefined : Number(usage.cpuUsageCoreNanoSeconds) / 1e9,
  },
  {
    name: 'container_memory_usage_bytes',
    help: 'Memory in use, whatever for.',
    type: 'gauge',
    value: ({ usage }) => usage.memoryUsageBytes,
  },
  {
    name: 'container_memory_working_set_bytes',
    help: 'Memory in use but for inactive file pages.',
    type: 'gauge',
    value: ({ usage }) => usage.memoryWorkingSetBytes,
  },
  {
    name: 'container_memory_rss',
    help: 'Anonymous memory.',
    type: 'gauge',
    value: ({ usage }) => usage.memoryRssBytes,
  },
  {
    name: 'container_last_seen',
    help: 'When it was measured last, in seconds since the epoch.',
    type: 'gauge',
    value: ({ usage }) => Math.trunc(usage.timestampMs / 1000),
  },
  {
    name: 'container_processes',
    help: 'Processes that run inside.',
    type: 'gauge',
    value: ({ usage }) => usage.processCount,
  },
  {
    name: 'container_start_time_seconds',
    help: 'When it started, in seconds since the epoch.',
    type: 'gauge',
    value: ({ startedAt }) => (startedAt === undefined ? undefined : Date.parse(startedAt) / 1000),
  },
];

function collected({ labels: more, value, ...family }: Family, measured: readonly Measured[]): MetricFamily {
  const samples = measured.flatMap((each): MetricSample[] => {
    const found = value(each);
    if (found === undefined) return [];
    return [{ labels: { ...each.labels, ...more }, value: found, timestampMs: each.usage.timestampMs }];
  });
  return { ...family, samples };
}

const detailed = ({ samples, ...family }: CgroupFamily, measured: readonly Measured[]): MetricFamily => ({
  ...family,
  samples: measured.flatMap(({ details, labels, usage: { timestampMs } }) =>
    details === undefined
      ? []
      : samples(details).map(({ labels: more, value }) => ({
          labels: { ...labels, ...more },
          value,
          timestampMs,
        })),
  ),
});

interface NetworkSample {
  labels: Readonly<Record<string, string>>;
  usage: InterfaceUsage;
}

const networkFamilies = [
  ['receive_bytes', 'rxBytes', 'Bytes received.'],
  ['receive_packets', 'rxPackets', 'Packets received.'],
  ['receive_errors', 'rxErrors', 'Errors while receiving.'],
  ['receive_packets_dropped', 'rxDropped', 'Packets dropped while receiving.'],
  ['transmit_bytes', 'txBytes', 'Bytes sent.'],
  ['transmit_packets', 'txPackets', 'Packets sent.'],
  ['transmit_errors', 'txErrors', 'Errors while sending.'],
  ['transmit_packets_dropped', 'txDropped', 'Packets dropped while sending.'],
] as const;

const networkFamily = (
  [name, counter, help]: (typeof networkFamilies)[number],
  interfaces: readonly NetworkSample[],
): MetricFamily => ({
  name: `container_network_${name}_total`,
  help,
  type: 'counter',
  samples: interfaces.map(({ labels, usage }) => ({ labels, value: usage[counter] })),
});

/** Interfaces of the machine that lead to containers: what goes over them is counted there. */
const ofContainers = /^(veth|docker)/;

interface DiskSample {
  labels: Readonly<Record<string, string>>;
  space: FilesystemSpace;
}

interface DiskFamily extends Omit<MetricFamily, 'samples'> {
  ofDisk(space: FilesystemSpace): number;
  ofContainer?(usage: Measured['usage']): number | undefined;
}

const diskFamilies: readonly DiskFamily[] = [
  {
    name: 'container_fs_usage_bytes',
    help: 'Bytes in the writable layer of a container, or on a file system of the machine.',
    type: 'gauge',
    ofDisk: ({ usedBytes }) => usedBytes,
    ofContainer: ({ rootfsUsedBytes }) => rootfsUsedBytes,
  },
  {
    name: 'container_fs_limit_bytes',
    help: 'Size of a file system of the machine.',
    type: 'gauge',
    ofDisk: ({ capacityBytes }) => capacityBytes,
  },
  {
    name: 'container_fs_inodes_total',
    help: 'Inodes of a file system of the machine.',
    type: 'gauge',
    ofDisk: ({ inodes }) => inodes,
  },
  {
    name: 'container_fs_inodes_free',
    help: 'Free inodes of a file system of the machine.',
    type: 'gauge',
    ofDisk: ({ inodesFree }) => inodesFree,
  },
];

function diskFamily(
  { ofDisk, ofContainer, ...family }: DiskFamily,
  disks: readonly DiskSample[],
  measured: readonly Measured[],
): MetricFamily {
  const containers =
    ofContainer === undefined
      ? []
      : collected({ ...family, value: ({ usage }) => ofContainer(usage) }, measured).samples;
  return {
    ...family,
    samples: [...disks.map(({ labels, space }) => ({ labels, value: ofDisk(space) })), ...containers],
  };
}

function about({ kernelVersion = '', osImage = '' }: Partial<NodeSystemInfo> = {}): MetricFamily {
  // It is no cAdvisor that measures.
  const labels = {
    cadvisorRevision: '',
    cadvisorVersion: '',
    dockerVersion: '',
    kernelVersion,
    osVersion: osImage,
  };
  return {
    name: 'cadvisor_version_info',
    help: 'Kernel and operating system of the machine. The value is always 1.',
    type: 'gauge',
    samples: [{ labels, value: 1 }],
  };
}

function machine(swapBytes: number, info: Partial<NodeSystemInfo> = {}): MetricFamily[] {
  const { bootID: boot_id = '', machineID: machine_id = '', systemUUID: system_uuid = '' } = info;
  const gauge = (name: string, help: string, value: number): MetricFamily => ({
    name,
    help,
    type: 'gauge',
    samples: [{ labels: { boot_id, machine_id, system_uuid }, value }],
  });
  return [
    gauge('machine_swap_bytes', 'Swap of the machine.', swapBytes),
    gauge('machine_cpu_cores', 'Logical CPUs of the machine.', cpus().length),
    gauge('machine_memory_bytes', 'Memory of the machine.', totalmem()),
  ];
}
