/** What a cgroup uses, in one shape for v1 and v2, as the Summary API and eviction want it. */
import { words } from './cgroup-layout.ts';

export interface CgroupStats {
  timestampMs: number;
  /** Undefined where the controller is missing. */
  cpuUsageCoreNanoSeconds?: bigint;
  memoryUsageBytes?: number;
  /** Usage less the file cache that the kernel would drop first. */
  memoryWorkingSetBytes?: number;
  memoryRssBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
  processCount?: number;
}

/** Numbers of a flat keyed file such as memory.stat. */
export function flatKeyed(text: string | undefined): ReadonlyMap<string, number> {
  const lines = (text ?? '').split('\n').map(words);
  return new Map(lines.filter(({ length }) => length === 2).map(([key = '', value]) => [key, Number(value)]));
}

/** A file with one number, or undefined for none, `max` included. */
export function singleNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}
