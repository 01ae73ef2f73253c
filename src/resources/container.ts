/**
 * What a pod and each of its containers may use, in the terms of the kernel and of CRI: cpu shares from requests, CFS
 * quota and memory from limits, huge pages, and the OOM score, computed as the kubelet computes them.
 */

import type { LinuxContainerResources } from '../../runtime/runtime.ts';
import type { Container, Pod } from '../api/core.gen.ts';
import {
  hugepageBytes,
  isHugepages,
  pageSizeName,
  type ResourceAmounts,
  type ResourceList,
  toAmounts,
} from './amounts.ts';
import { isLimited, oomScoreAdj, podLevelAmounts, podLimits, podRequests, qosClass } from './qos.ts';

/** What of the node and its configuration matters to a container's limits. */
export interface ResourceContext {
  cgroupVersion: 1 | 2;
  memoryCapacityBytes: number;
  /** Huge page sizes of the machine, in bytes. */
  hugepageSizes: readonly number[];
  /** cpuCFSQuota of the configuration: whether cpu limits are enforced. */
  cpuCfsQuota: boolean;
  cpuCfsQuotaPeriodUs: number;
  /** singleProcessOOMKill of the configuration: only v2 can kill a container as a whole. */
  singleProcessOomKill: boolean;
  /** Whether the kernel counts swap: without it a swap limit is an error. */
  swapAccounting: boolean;
}

/** Limits of one cgroup. Undefined: left as it is. */
export interface CgroupSettings {
  cpuShares?: number;
  /** −1: no limit. */
  cpuQuotaUs?: number;
  cpuPeriodUs?: number;
  /** −1: no limit. */
  memoryLimitBytes?: number;
  /** −1: no limit. */
  pidsLimit?: number;
  hugepageLimits?: { pageSize: string; limitBytes: number }[];
}

export type ReservedAmounts = Readonly<Partial<Record<'cpu' | 'memory' | 'pid', number | undefined>>>;

export function containerResources(
  pod: Pod,
  container: Container,
  context: ResourceContext,
): LinuxContainerResources {
  const requests = toAmounts(container.resources?.requests);
  const limits = { ...podLevelAmounts(pod.spec?.resources?.limits), ...set(container.resources?.limits) };
  const quotaUs = cpuQuotaUs(limits.cpu ?? 0, context);
  const memoryLimitBytes = limits.memory ?? 0;
  return {
    cpuShares: cpuShares(requests.cpu ?? limits.cpu ?? 0),
    ...(quotaUs > 0 && { cpuPeriodUs: context.cpuCfsQuotaPeriodUs, cpuQuotaUs: quotaUs }),
    ...(memoryLimitBytes > 0 && { memoryLimitBytes }),
    ...noSwap(memoryLimitBytes, context),
    oomScoreAdj: oomScoreAdj(pod, container, context.memoryCapacityBytes),
    hugepageLimits: hugepageLimits(limits, context.hugepageSizes),
  };
}

/** What is 0 is not set: then the limit of the whole pod is that of the container, too. */
const set = (list: ResourceList | undefined): ResourceAmounts =>
  Object.fromEntries(Object.entries(toAmounts(list)).filter(([, amount]) => amount > 0));

/**
 * Without what this machine cannot hold a container to, as the agent has told at its start: runtimes refuse a container
 * for a limit whose file is not there. `missing` names controllers and files.
 */
export function withoutMissing(
  resources: LinuxContainerResources,
  missing: readonly string[],
): LinuxContainerResources {
  const kept = { ...resources };
  const lacks = (...names: string[]): boolean => names.some((name) => missing.includes(name));
  if (lacks('cpu')) delete kept.cpuShares;
  if (lacks('cpu', 'cpu.max', 'cpu.cfs_quota_us')) {
    delete kept.cpuPeriodUs;
    delete kept.cpuQuotaUs;
  }
  if (lacks('memory')) {
    delete kept.memoryLimitBytes;
    delete kept.memorySwapLimitBytes;
    delete kept.unified;
  }
  return kept;
}

/** Limits of the pod's own cgroup. A limit is set only where every container has one, or it would bind the others. */
export function podSettings(
  pod: Pod,
  context: Pick<ResourceContext, 'hugepageSizes' | 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs'>,
): CgroupSettings {
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const hugepages = { hugepageLimits: hugepageLimits(limits, context.hugepageSizes) };
  if (qosClass(pod) === 'BestEffort') return { cpuShares: minCpuShares, ...hugepages };
  const quotaUs = isLimited(pod, 'cpu') ? cpuQuotaUs(limits.cpu ?? 0, context) : 0;
  return {
    cpuShares: cpuShares(requests.cpu ?? 0),
    cpuPeriodUs: context.cpuCfsQuotaPeriodUs,
    cpuQuotaUs: quotaUs > 0 ? quotaUs : unlimited,
    memoryLimitBytes: isLimited(pod, 'memory') ? (limits.memory ?? unlimited) : unlimited,
    ...hugepages,
  };
}

/** So much of cpu and memory that either state of a pod fits. */
export function widest(a: CgroupSettings, b: CgroupSettings): CgroupSettings {
  const larger = (name: 'cpuShares' | 'cpuQuotaUs' | 'memoryLimitBytes') => {
    const values = [a[name], b[name]].filter((value) => value !== undefined);
    return values.length === 0
      ? {}
      : { [name]: values.includes(unlimited) ? unlimited : Math.max(...values) };
  };
  return { ...a, ...larger('cpuShares'), ...larger('cpuQuotaUs'), ...larger('memoryLimitBytes') };
}

/** Limits of all pods together, from what the node gives them. */
export const allocatableSettings = (
  allocatable: ResourceAmounts,
  hugepageSizes: readonly number[],
): CgroupSettings => ({
  cpuShares: cpuShares(allocatable.cpu ?? 0),
  memoryLimitBytes: allocatable.memory ?? unlimited,
  pidsLimit: allocatable.pid ?? unlimited,
  hugepageLimits: hugepageLimits(allocatable, hugepageSizes),
});

/** Of what is reserved for processes that are no pods; the others stay as they are. */
export const reservedSettings = ({ cpu, memory, pid }: ReservedAmounts): CgroupSettings => ({
  ...(cpu === undefined ? {} : { cpuShares: cpuShares(cpu) }),
  ...(memory === undefined ? {} : { memoryLimitBytes: memory }),
  ...(pid === undefined ? {} : { pidsLimit: pid }),
});

/** 1024 shares a core, within what the kernel takes. */
export const cpuShares = (cpuMillis: number): number =>
  Math.min(Math.max(Math.trunc((cpuMillis * 1024) / 1000), minCpuShares), maxCpuShares);

/** cgroup v2's weight (1–10000) of v1's shares (2–262144), as runtimes convert it. */
export const cpuWeight = (shares: number): number =>
  1 + Math.trunc(((Math.max(shares, minCpuShares) - minCpuShares) * 9999) / (maxCpuShares - minCpuShares));

const unlimited = -1;
export const minCpuShares = 2;
const maxCpuShares = 262_144;
/** The kernel refuses a quota below a millisecond. */
const minQuotaUs = 1000;

/** 0: no quota. */
function cpuQuotaUs(
  cpuMillis: number,
  context: Pick<ResourceContext, 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs'>,
): number {
  if (!context.cpuCfsQuota || cpuMillis <= 0) return 0;
  return Math.max(Math.trunc((cpuMillis * context.cpuCfsQuotaPeriodUs) / 1000), minQuotaUs);
}

function noSwap(
  memoryLimitBytes: number,
  context: ResourceContext,
): Pick<LinuxContainerResources, 'memorySwapLimitBytes' | 'unified'> {
  if (context.cgroupVersion === 1) {
    // On v1 the limit is that of memory and swap together.
    return context.swapAccounting && memoryLimitBytes > 0 ? { memorySwapLimitBytes: memoryLimitBytes } : {};
  }
  const unified = {
    ...(context.swapAccounting && { 'memory.swap.max': '0' }),
    ...(!context.singleProcessOomKill && { 'memory.oom.group': '1' }),
  };
  return Object.keys(unified).length > 0 ? { unified } : {};
}

/** Every size the machine has is limited, to 0 unless asked for: huge pages are never overcommitted. */
function hugepageLimits(
  limits: ResourceAmounts,
  sizes: readonly number[],
): { pageSize: string; limitBytes: number }[] {
  const bySize = new Map(sizes.map((size) => [size, 0]));
  for (const [name, amount] of Object.entries(limits)) {
    if (isHugepages(name)) bySize.set(hugepageBytes(name), amount);
  }
  return [...bySize].map(([size, limitBytes]) => ({ pageSize: pageSizeName(size), limitBytes }));
}
