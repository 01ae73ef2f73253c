/**
 * cgroup v1 (and the v1 side of a hybrid): one directory in each hierarchy. Hierarchies without a controller that is
 * set here get the directory all the same, because runtimes join them all.
 */
import { join } from 'node:path';
import type { Logger } from '../log.ts';
import { detailsV1 } from './cgroup-details.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import { type CgroupLayout, type Hierarchy, words } from './cgroup-layout.ts';
import { flatKeyed, singleNumber } from './cgroup-stats.ts';
import {
  applyControls,
  type ControlWrite,
  makeCgroup,
  prefixes,
  readControl,
  removeCgroups,
  writeControl,
} from './cgroup-tree.ts';
import type { CgroupSettings } from './container.ts';

export function cgroupV1(layout: CgroupLayout & { version: 1 }, log: Logger): CgroupDriver {
  const lost = new Set<string>();
  const dirOf = (controller: string, path: string): string | undefined => {
    const hierarchy = layout.hierarchies.find(({ controllers }) => controllers.includes(controller));
    return hierarchy === undefined ? undefined : join(hierarchy.dir, path);
  };
  const read = (controller: string, path: string, file: string) => {
    const dir = dirOf(controller, path);
    return dir === undefined ? undefined : readControl(dir, file);
  };
  return {
    version: 1,
    roots: layout.hierarchies.map(({ dir }) => dir),
    lost,

    create: async (path) => {
      for (const hierarchy of layout.hierarchies) {
        for (const prefix of prefixes(path)) await createIn(hierarchy, prefix);
      }
    },

    apply: async (path, settings) => {
      const writes = controlFiles(settings).flatMap((write) => {
        const dir = dirOf(write.controller, path);
        return dir === undefined ? [] : [{ ...write, dir }];
      });
      await applyControls(writes, lost, log);
    },

    holdControllers: async () => undefined,

    remove: (paths, signal) =>
      removeCgroups(
        layout.hierarchies.flatMap(({ dir }) => paths.map((path) => join(dir, path))),
        signal,
      ),

    details: (path) => detailsV1((controller, file) => read(controller, path, file)),

    stats: (path) => {
      const usageBytes = singleNumber(read('memory', path, 'memory.usage_in_bytes'));
      const memory = flatKeyed(read('memory', path, 'memory.stat'));
      const cpuNanos = read('cpuacct', path, 'cpuacct.usage')?.trim();
      return {
        timestampMs: Date.now(),
        cpuUsageCoreNanoSeconds: cpuNanos === undefined ? undefined : BigInt(cpuNanos),
        memoryUsageBytes: usageBytes,
        memoryWorkingSetBytes:
          usageBytes === undefined
            ? undefined
            : Math.max(usageBytes - (memory.get('total_inactive_file') ?? 0), 0),
        memoryRssBytes: memory.get('total_rss'),
        pageFaults: memory.get('total_pgfault'),
        majorPageFaults: memory.get('total_pgmajfault'),
        processCount: singleNumber(read('pids', path, 'pids.current')),
      };
    },
  };
}

async function createIn({ dir, controllers }: Hierarchy, path: string): Promise<void> {
  const cgroup = join(dir, path);
  makeCgroup(cgroup);
  if (controllers.includes('cpuset')) {
    // A task can enter only a cgroup that has cpus and memory nodes; a new one has none. Repeated for an existing one
    // because its maker may have been killed in between.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) await inheritWhenEmpty(cgroup, file);
  }
  if (controllers.includes('memory') && readControl(cgroup, 'memory.use_hierarchy')?.trim() === '0') {
    await writeControl(cgroup, 'memory.use_hierarchy', '1');
  }
}

async function inheritWhenEmpty(cgroup: string, file: string): Promise<void> {
  if (words(readControl(cgroup, file) ?? '').length > 0) return;
  const inherited = readControl(join(cgroup, '..'), file)?.trim() ?? '';
  if (inherited !== '') await writeControl(cgroup, file, inherited);
}

function controlFiles(settings: CgroupSettings): ControlWrite[] {
  const { cpuShares, cpuPeriodUs, cpuQuotaUs, memoryLimitBytes, pidsLimit, hugepageLimits = [] } = settings;
  const files: ControlWrite[] = [];
  const set = (controller: string, file: string, value: number | string | undefined) => {
    if (value !== undefined) files.push({ controller, file, value: `${value}` });
  };
  set('cpu', 'cpu.shares', cpuShares);
  set('cpu', 'cpu.cfs_period_us', cpuPeriodUs);
  set('cpu', 'cpu.cfs_quota_us', cpuQuotaUs);
  set('memory', 'memory.limit_in_bytes', memoryLimitBytes);
  set('pids', 'pids.max', pidsLimit === -1 ? 'max' : pidsLimit);
  for (const { pageSize, limitBytes } of hugepageLimits) {
    set('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limitBytes);
  }
  return files;
}
