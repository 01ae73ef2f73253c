/**
 * The cgroup hierarchies of this machine: one (v2), one for each controller (v1), or both kinds side by side (hybrid).
 * Found in the mount table; see cgroups(7).
 */
import { readFileSync } from 'node:fs';

export interface Hierarchy {
  version: 1 | 2;
  mountPoint: string;
  /** v1 only: the controllers bound to it; a named hierarchy has none. */
  controllers: readonly string[];
}

export const machineHierarchies = (): Hierarchy[] =>
  parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));

const v1Controllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'perf_event',
  'net_cls',
  'net_prio',
  'rdma',
  'misc',
];

export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const byDevice = new Map<string, Hierarchy>();
  for (const line of mountinfo.split('\n')) {
    // Where many pods run most lines are of something else, and long.
    if (!line.includes(' - cgroup')) continue;
    const [before, after] = line.split(' - ');
    if (!before || !after) continue;
    const [, , device, root, mountPoint] = before.split(' ');
    const [type, , options] = after.split(' ');
    if (!device || root !== '/' || !mountPoint || byDevice.has(device)) continue;
    if (type === 'cgroup2') byDevice.set(device, { version: 2, mountPoint, controllers: [] });
    if (type === 'cgroup') {
      const controllers = (options ?? '').split(',').filter((option) => v1Controllers.includes(option));
      byDevice.set(device, { version: 1, mountPoint, controllers });
    }
  }
  return [...byDevice.values()];
}
