/**
 * cgroup v2: one tree. A controller works in a cgroup only when every ancestor passes it on in cgroup.subtree_control,
 * and a cgroup that passes controllers on may hold no processes of its own (the root excepted).
 */
import { join } from 'node:path';
import type { Logger } from '../log.ts';
import { detailsV2 } from './cgroup-details.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import { CgroupError, type CgroupLayout, words } from './cgroup-layout.ts';
import { flatKeyed, singleNumber } from './cgroup-stats.ts';
import {
  applyControls,
  type ControlWrite,
  codeOf,
  makeCgroup,
  prefixes,
  readControl,
  removeCgroups,
  writeControl,
} from './cgroup-tree.ts';
import { type CgroupSettings, cpuWeight } from './container.ts';

export function cgroupV2(layout: CgroupLayout & { version: 2 }, log: Logger): CgroupDriver {
  const [{ dir: root, controllers: present }] = layout.hierarchies;
  const controllers = delegated.filter((controller) => present.includes(controller));
  const lost = new Set<string>();
  return {
    version: 2,
    roots: [root],
    lost,

    create: async (path) => {
      for (const prefix of ['/', ...prefixes(path)]) {
        const cgroup = join(root, prefix);
        if (prefix !== '/') makeCgroup(cgroup);
        for (const { controller, why } of await delegate(cgroup, controllers)) {
          if (lost.has(controller)) continue;
          lost.add(controller);
          log.error({ controller }, `pods run without ${controller} limits: ${why}`);
        }
      }
    },

    apply: async (path, settings) => {
      const kept = controlFiles(settings).filter(
        ({ controller }) => controllers.includes(controller) && !lost.has(controller),
      );
      await applyControls(
        kept.map((write) => ({ ...write, dir: join(root, path) })),
        lost,
        log,
      );
    },

    holdControllers: async () => undefined,

    remove: (paths, signal) =>
      removeCgroups(
        paths.map((path) => join(root, path)),
        signal,
      ),

    details: (path) => detailsV2((_, file) => readControl(join(root, path), file)),

    stats: (path) => {
      const cgroup = join(root, path);
      const usageBytes = singleNumber(readControl(cgroup, 'memory.current'));
      const memory = flatKeyed(readControl(cgroup, 'memory.stat'));
      const cpuUs = flatKeyed(readControl(cgroup, 'cpu.stat')).get('usage_usec');
      return {
        timestampMs: Date.now(),
        cpuUsageCoreNanoSeconds: cpuUs === undefined ? undefined : BigInt(cpuUs) * 1000n,
        memoryUsageBytes: usageBytes,
        memoryWorkingSetBytes:
          usageBytes === undefined ? undefined : Math.max(usageBytes - (memory.get('inactive_file') ?? 0), 0),
        memoryRssBytes: memory.get('anon'),
        pageFaults: memory.get('pgfault'),
        majorPageFaults: memory.get('pgmajfault'),
        processCount: singleNumber(readControl(cgroup, 'pids.current')),
      };
    },
  };
}

/** What containers are limited with. The others are left to the machine's owner. */
const delegated = ['cpu', 'cpuset', 'io', 'memory', 'hugetlb', 'pids'];

/** One write a controller: one that cannot be passed on must not keep back the others. Returns those. */
async function delegate(
  cgroup: string,
  controllers: readonly string[],
): Promise<{ controller: string; why: string }[]> {
  const available = words(readControl(cgroup, 'cgroup.controllers') ?? '');
  const passedOn = words(readControl(cgroup, subtreeControl) ?? '');
  const wanted = controllers.filter((name) => available.includes(name) && !passedOn.includes(name));
  if (wanted.length > 0) refuseInternalProcesses(cgroup, wanted);
  const refused: { controller: string; why: string }[] = [];
  for (const controller of wanted) {
    try {
      await writeControl(cgroup, subtreeControl, `+${controller}`);
    } catch (error) {
      if (!(error instanceof CgroupError) || codeOf(error.cause) !== 'EINVAL') throw error;
      refused.push({ controller, why: controller === 'cpu' ? realTimeOutside(cgroup) : error.message });
    }
  }
  return refused;
}

const realTimeOutside = (cgroup: string): string =>
  `the kernel refuses the cpu controller below ${cgroup}, because it has CONFIG_RT_GROUP_SCHED and a real-time process runs outside the root cgroup`;

/**
 * Asked before anything is passed on: some controllers would make the cgroup a threaded one, and only the next be
 * refused, with an error that does not tell why.
 */
function refuseInternalProcesses(cgroup: string, controllers: readonly string[]): void {
  // The root alone has no type, and may hold processes.
  if (readControl(cgroup, 'cgroup.type') === undefined) return;
  const pids = words(readControl(cgroup, 'cgroup.procs') ?? '');
  if (pids.length === 0) return;
  throw new CgroupError(
    cgroup,
    `cgroup ${cgroup} cannot give pods ${controllers.join(', ')} while processes (${pids.slice(0, 8).join(', ')}) are directly in it: move them to a cgroup below it, or choose another --cgroup-root`,
  );
}

const subtreeControl = 'cgroup.subtree_control';

function controlFiles(settings: CgroupSettings): ControlWrite[] {
  const { cpuShares, cpuPeriodUs, cpuQuotaUs, memoryLimitBytes, pidsLimit, hugepageLimits = [] } = settings;
  const files: ControlWrite[] = [];
  if (cpuShares !== undefined) {
    files.push({ controller: 'cpu', file: 'cpu.weight', value: `${cpuWeight(cpuShares)}` });
  }
  if (cpuQuotaUs !== undefined) {
    files.push({
      controller: 'cpu',
      file: 'cpu.max',
      value: `${limit(cpuQuotaUs)} ${cpuPeriodUs ?? 100_000}`,
    });
  }
  if (memoryLimitBytes !== undefined) {
    files.push({ controller: 'memory', file: 'memory.max', value: limit(memoryLimitBytes) });
  }
  if (pidsLimit !== undefined) files.push({ controller: 'pids', file: 'pids.max', value: limit(pidsLimit) });
  for (const { pageSize, limitBytes } of hugepageLimits) {
    files.push({ controller: 'hugetlb', file: `hugetlb.${pageSize}.max`, value: limit(limitBytes) });
  }
  return files;
}

const limit = (value: number): string => (value < 0 ? 'max' : `${value}`);
