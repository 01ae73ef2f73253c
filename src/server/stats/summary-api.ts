/** What `/stats/summary` answers: the kubelet's summary.Summary (stats.k8s.io/v1alpha1), as far as it is told. */
import type { InterfaceUsage } from './network-usage.ts';
import type { FilesystemSpace } from './node-usage.ts';

export interface Summary {
  node: NodeStats;
  pods: PodStats[];
}

export interface NodeStats {
  nodeName: string;
  startTime: string;
  cpu: CpuStats;
  memory: MemoryStats;
  network?: NetworkStats;
  io?: IoStats;
  swap: SwapStats;
  /** Of cgroups above those of pods. */
  systemContainers: SystemContainer[];
  fs: FsStats;
  /** Images and the writable layers of containers are on one file system. */
  runtime?: { imageFs: FsStats; containerFs: FsStats };
  rlimit: { time: string; maxpid: number; curproc: number };
}

/** `pods`: all of them together. `kubelet`: the agent, where it has a cgroup. */
export interface SystemContainer {
  name: string;
  startTime: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  io?: IoStats;
  swap?: SwapStats;
}

export interface PodStats {
  podRef: { name: string; namespace: string; uid: string };
  startTime?: string;
  containers: ContainerSummary[];
  cpu?: CpuStats;
  memory?: MemoryStats;
  io?: IoStats;
  swap?: SwapStats;
  network?: NetworkStats;
  volume: VolumeStats[];
  'ephemeral-storage': FsStats;
  process_stats?: { process_count: number };
}

export interface VolumeStats extends FsStats {
  name: string;
  pvcRef?: { name: string; namespace: string };
}

export interface ContainerSummary {
  name: string;
  startTime?: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  io?: IoStats;
  swap?: SwapStats;
  rootfs?: FsStats;
  logs?: FsStats;
}

export interface CpuStats {
  time: string;
  usageNanoCores?: number;
  usageCoreNanoSeconds?: number;
  psi?: PsiStats;
}

export interface MemoryStats {
  time: string;
  availableBytes?: number;
  usageBytes?: number;
  workingSetBytes?: number;
  rssBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
  psi?: PsiStats;
}

/** Of the interface that leads outside, and of all. */
export interface NetworkStats extends Partial<NetworkInterface> {
  time: string;
  interfaces: NetworkInterface[];
}

type NetworkInterface = Pick<InterfaceUsage, 'name' | 'rxBytes' | 'rxErrors' | 'txBytes' | 'txErrors'>;

export interface FsStats extends Partial<FilesystemSpace> {
  time: string;
  usedBytes?: number;
  inodesUsed?: number;
}

/** Pressure stall information; `total` is in microseconds, as the kernel and so the kubelet tell it. */
export interface PsiStats {
  full: PsiData;
  some: PsiData;
}

export interface PsiData {
  total: number;
  avg10: number;
  avg60: number;
  avg300: number;
}

export interface SwapStats {
  time: string;
  swapUsageBytes: number;
  /** What it could have beyond that now. */
  swapAvailableBytes: number;
}

export interface IoStats {
  time: string;
  psi: PsiStats;
}
