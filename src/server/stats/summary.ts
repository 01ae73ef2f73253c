/** Measures what `/stats/summary` tells, by which `kubectl top` and others look. */

import { dirname } from 'node:path';
import type { ContainerStats } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import type { Logger } from '../../log.ts';
import { containerNameLabel, podName, podNamespace, podUid, podUidLabel } from '../../pods/identity.ts';
import type { CgroupDetails } from '../../resources/cgroup-details.ts';
import type { MeasuredCgroup } from '../../resources/cgroups.ts';
import { diskUsageReader } from '../../volumes/disk-usage-reader.ts';
import type { AgentView } from '../agent-view.ts';
import { containerStatusOf } from '../pod-lookup.ts';
import { defaultInterface, machineNetwork } from './network-usage.ts';
import { type FilesystemSpace, filesystemSpace, type NodeUsage, nodeUsage } from './node-usage.ts';
import { cpuRates } from './rates.ts';
import type {
  ContainerSummary,
  CpuStats,
  FsStats,
  NodeStats,
  PodStats,
  Summary,
  SystemContainer,
} from './summary-api.ts';
import { ephemeralStorage, fsStats, io, memory, network, psi, swap, taken } from './summary-shapes.ts';

/** Of the machine, shared by all. */
interface Room {
  /** Of the agent's directory. */
  space: FilesystemSpace;
  /** Of the container runtime, where it has one. */
  imageFs: FsStats | undefined;
  freeSwapBytes: number;
}

export interface SummaryReader {
  read(signal: AbortSignal): Promise<Summary>;
}

/** @param rootDir lies on the node's file system, as the volumes and logs do. */
export function summaryReader(
  agent: AgentView,
  rootDir: string,
  log: Logger,
  nowMs: () => number = Date.now,
): SummaryReader {
  const disk = diskUsageReader(nowMs);
  const rates = cpuRates();

  /** Without what cannot be measured: one broken tree must not hide all others. */
  async function tree(path: string, space: FilesystemSpace, signal: AbortSignal): Promise<FsStats> {
    try {
      return fsStats(await disk.of(path, signal), space);
    } catch (err) {
      signal.throwIfAborted();
      log.warn({ err, path }, 'cannot measure a directory for /stats/summary');
      const { usedBytes: _ofAll, ...room } = space;
      return { time: time(nowMs()), ...room };
    }
  }

  /** A claim may hold more files than can be counted: told as the kubelet does, by its file system. */
  async function wholeFilesystem(path: string): Promise<FsStats> {
    const at = { time: time(nowMs()) };
    try {
      const space = await agent.volumeSpace(path);
      return { ...at, ...space, ...taken(space) };
    } catch (err) {
      log.warn({ err, path }, 'cannot measure a volume for /stats/summary');
      return at;
    }
  }

  function cpu(
    key: string,
    timestampMs: number,
    usage: bigint | undefined,
    details?: CgroupDetails,
    nanoCores?: bigint,
  ): CpuStats | undefined {
    if (usage === undefined) return undefined;
    const rate = nanoCores ?? rates.nanoCores(key, timestampMs, usage);
    return {
      time: time(timestampMs),
      ...(rate !== undefined && { usageNanoCores: Number(rate) }),
      usageCoreNanoSeconds: Number(usage),
      ...psi(details?.pressure.cpu),
    };
  }

  async function node(
    usage: NodeUsage,
    { space, imageFs }: Pick<Room, 'space' | 'imageFs'>,
  ): Promise<NodeStats> {
    const now = time(usage.timestampMs);
    return {
      nodeName: agent.nodeName,
      startTime: time(usage.bootedAtMs),
      systemContainers: await systemContainers(usage),
      cpu: {
        ...(cpu('node', usage.timestampMs, usage.cpuUsageCoreNanoSeconds) ?? { time: now }),
        ...psi(usage.pressure.cpu),
      },
      memory: { time: now, ...usage.memory, ...psi(usage.pressure.memory) },
      ...io(now, usage.pressure),
      swap: {
        time: now,
        swapUsageBytes: usage.swap.usageBytes,
        swapAvailableBytes: usage.swap.availableBytes,
      },
      network: network(now, await machineNetwork(), await defaultInterface()),
      fs: { time: now, ...space, ...taken(space) },
      ...(imageFs && { runtime: { imageFs, containerFs: imageFs } }),
      rlimit: { time: now, maxpid: usage.processes.max, curproc: usage.processes.current },
    };
  }

  async function systemContainers({
    bootedAtMs,
    swap: { availableBytes: freeSwapBytes },
  }: NodeUsage): Promise<SystemContainer[]> {
    const measured = (
      name: string,
      startedAtMs: number,
      { stats, details }: MeasuredCgroup,
    ): SystemContainer => ({
      name,
      startTime: time(startedAtMs),
      cpu: cpu(name, stats.timestampMs, stats.cpuUsageCoreNanoSeconds, details),
      memory: memory(stats, details),
      ...io(time(stats.timestampMs), details.pressure),
      ...swap(time(stats.timestampMs), details, freeSwapBytes),
    });
    const own = await agent.agentCgroup();
    return [
      measured('pods', bootedAtMs, await agent.podsCgroup()),
      ...(own === undefined ? [] : [measured('kubelet', nowMs() - process.uptime() * 1000, own)]),
    ];
  }

  async function imageFsStats(signal: AbortSignal): Promise<FsStats | undefined> {
    const [imageFs] = await agent.imageFsInfo(signal);
    return (
      imageFs && {
        time: time(imageFs.timestampMs),
        ...(await filesystemSpace(imageFs.mountpoint)),
        usedBytes: imageFs.usedBytes,
        inodesUsed: imageFs.inodesUsed,
      }
    );
  }

  async function container(
    pod: Pod,
    stats: ContainerStats,
    details: CgroupDetails | undefined,
    { space, imageFs, freeSwapBytes }: Room,
    signal: AbortSignal,
  ): Promise<ContainerSummary> {
    const name = stats.labels[containerNameLabel] ?? stats.metadata.name;
    const { cpuUsageCoreNanoSeconds, cpuUsageNanoCores, timestampMs } = stats;
    const logPath = await agent.containerLogPath(podUid(pod), name, false);
    const startTime = containerStatusOf(pod, name)?.state?.running?.startedAt;
    return {
      name,
      ...(startTime && { startTime }),
      cpu: cpu(stats.id, timestampMs, cpuUsageCoreNanoSeconds, details, cpuUsageNanoCores),
      memory: memory(stats, details),
      ...io(time(timestampMs), details?.pressure ?? {}),
      ...swap(time(timestampMs), details, freeSwapBytes),
      ...(stats.rootfsUsedBytes !== undefined && {
        rootfs: {
          ...imageFs,
          time: time(timestampMs),
          usedBytes: stats.rootfsUsedBytes,
          ...(stats.rootfsInodesUsed !== undefined && { inodesUsed: stats.rootfsInodesUsed }),
        },
      }),
      ...(logPath && { logs: await tree(dirname(logPath), space, signal) }),
    };
  }

  async function podStats(
    pod: Pod,
    all: readonly ContainerStats[],
    room: Room,
    signal: AbortSignal,
  ): Promise<PodStats> {
    const uid = podUid(pod);
    const { space, freeSwapBytes } = room;
    const own = all.filter((stats) => stats.labels[podUidLabel] === uid);
    const containers: ContainerSummary[] = [];
    const [cgroup, ...inside] = await agent.podCgroups(uid);
    for (const stats of own) {
      const details = inside.find(({ path }) => path.includes(stats.id))?.details;
      containers.push(await container(pod, stats, details, room, signal));
    }
    const volume: PodStats['volume'] = [];
    const ephemeral: FsStats[] = [];
    for (const { name, path, isEphemeral, claim } of agent.podVolumes(uid)) {
      const usage = await (claim === undefined ? tree(path, space, signal) : wholeFilesystem(path));
      const pvcRef = claim === undefined ? {} : { pvcRef: { name: claim, namespace: podNamespace(pod) } };
      volume.push({ name, ...usage, ...pvcRef });
      if (isEphemeral) ephemeral.push(usage);
    }
    const usage = await agent.podUsage(uid);
    const interfaces = await agent.podNetwork(uid);
    return {
      podRef: { name: podName(pod), namespace: podNamespace(pod), uid },
      startTime: pod.status?.startTime,
      containers,
      ...(usage && {
        cpu: cpu(uid, usage.timestampMs, usage.cpuUsageCoreNanoSeconds, cgroup?.details),
        memory: memory(usage, cgroup?.details),
        ...io(time(usage.timestampMs), cgroup?.details.pressure ?? {}),
        ...swap(time(usage.timestampMs), cgroup?.details, freeSwapBytes),
        ...(usage.processCount !== undefined && { process_stats: { process_count: usage.processCount } }),
      }),
      ...(interfaces && { network: network(time(nowMs()), interfaces, 'eth0') }),
      volume,
      'ephemeral-storage': ephemeralStorage(containers, ephemeral, space, nowMs()),
    };
  }

  return {
    read: async (signal) => {
      const usage = await nodeUsage(nowMs());
      const room: Room = {
        space: await filesystemSpace(rootDir),
        imageFs: await imageFsStats(signal),
        freeSwapBytes: usage.swap.availableBytes,
      };
      const all = await agent.containerStats(signal);
      const withContainers = new Set(all.map((stats) => stats.labels[podUidLabel]));
      const pods: PodStats[] = [];
      for (const pod of agent.pods()) {
        if (withContainers.has(podUid(pod))) pods.push(await podStats(pod, all, room, signal));
      }
      return { node: await node(usage, room), pods };
    },
  };
}
