/** Parts of the Summary API (stats.k8s.io/v1alpha1) that are made alike for the node, cgroups, pods and containers. */
import type { CgroupDetails, Pressure, Pressures, Stall } from '../../resources/cgroup-details.ts';

/** Pressure stall information; `total` is in microseconds, as the kernel and so the kubelet tell it. */
export interface PsiStats {
  full: PsiData;
  some: PsiData;
}

interface PsiData {
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

export const psi = (pressure: Pressure | undefined): { psi?: PsiStats } =>
  pressure === undefined ? {} : { psi: { full: data(pressure.full), some: data(pressure.some) } };

export const io = (time: string, { io: pressure }: Pressures): { io?: IoStats } => {
  const found = psi(pressure).psi;
  return found === undefined ? {} : { io: { time, psi: found } };
};

/**
 * @param details undefined: of what has no cgroup
 * @param freeBytes of the machine's swap
 */
export function swap(
  time: string,
  details: CgroupDetails | undefined,
  freeBytes: number,
): { swap?: SwapStats } {
  const { swapBytes, swapLimitBytes = 0 } = details ?? {};
  if (swapBytes === undefined) return {};
  const left = swapLimitBytes > 0 ? Math.max(swapLimitBytes - swapBytes, 0) : freeBytes;
  return { swap: { time, swapUsageBytes: swapBytes, swapAvailableBytes: Math.min(left, freeBytes) } };
}

const data = ({ avg10, avg60, avg300, totalUs }: Stall): PsiData => ({
  total: totalUs,
  avg10,
  avg60,
  avg300,
});
