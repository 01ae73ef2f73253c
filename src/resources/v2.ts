/**
 * cgroup v2: one tree. A controller works in a cgroup only when every ancestor passes it on in cgroup.subtree_control,
 * and a cgroup that passes controllers on may hold no processes of its own (the root excepted).
 */
import { join } from 'node:path';
import { CgroupError, type CgroupLayout, words } from './cgroup-layout.ts';
import { flatKeyed, singleNumber } from './cgroup-stats.ts';
import { codeOf, makeCgroup, prefixes, readControl, writeControl } from './cgroup-tree.ts';
import type { CgroupDriver } from './cgroups.ts';
import { type CgroupSettings, cpuWeight } from './container.ts';

export function cgroupV2(layout: CgroupLayout & { version: 2 }): CgroupDriver {
  const [{ dir: root, controllers }] = layout.hierarchies;
  return {
    version: 2,
    roots: [root],

    create: async (path) => {
      for (const prefix of ['/', ...prefixes(path)]) {
        const cgroup = join(root, prefix);
        if (prefix !== '/') await makeCgroup(cgroup);
        await delegate(cgroup, controllers);
      }
    },

    apply: async (path, settings) => {
      for (const { controller, file, value } of controlFiles(settings)) {
        if (controllers.includes(controller)) await writeControl(join(root, path), file, value);
      }
    },

    stats: async (path) => {
      const cgroup = join(root, path);
      const usageBytes = singleNumber(await readControl(cgroup, 'memory.current'));
      const memory = flatKeyed(await readControl(cgroup, 'memory.stat'));
      const cpuUs = flatKeyed(await readControl(cgroup, 'cpu.stat')).get('usage_usec');
      return {
        timestampMs: Date.now(),
        cpuUsageCoreNanoSeconds: cpuUs === undefined ? undefined : BigInt(cpuUs) * 1000n,
        memoryUsageBytes: usageBytes,
        memoryWorkingSetBytes:
          usageBytes === undefined ? undefined : Math.max(usageBytes - (memory.get('inactive_file') ?? 0), 0),
        memoryRssBytes: memory.get('anon'),
        pageFaults: memory.get('pgfault'),
        majorPageFaults: memory.get('pgmajfault'),
        processCount: singleNumber(await readControl(cgroup, 'pids.current')),
      };
    },
  };
}

/** One write a controller: one that cannot be passed on must not keep back the others. */
async function delegate(cgroup: string, controllers: readonly string[]): Promise<void> {
  const available = words((await readControl(cgroup, 'cgroup.controllers')) ?? '');
  const passedOn = words((await readControl(cgroup, subtreeControl)) ?? '');
  for (const controller of controllers) {
    if (!available.includes(controller) || passedOn.includes(controller)) continue;
    await passOn(cgroup, controller);
  }
}

async function passOn(cgroup: string, controller: string): Promise<void> {
  try {
    await writeControl(cgroup, subtreeControl, `+${controller}`);
  } catch (error) {
    if (!(error instanceof CgroupError)) throw error;
    if (codeOf(error.cause) === 'EBUSY') throw await internalProcesses(cgroup, controller, error);
    if (codeOf(error.cause) === 'EINVAL' && controller === 'cpu') {
      throw new CgroupError(
        cgroup,
        `the kernel refuses the cpu controller below ${cgroup}: a real-time process runs outside the root cgroup and this kernel has CONFIG_RT_GROUP_SCHED`,
        { cause: error },
      );
    }
    throw error;
  }
}

async function internalProcesses(
  cgroup: string,
  controller: string,
  cause: CgroupError,
): Promise<CgroupError> {
  const pids = words((await readControl(cgroup, 'cgroup.procs')) ?? '');
  return new CgroupError(
    cgroup,
    `cgroup ${cgroup} cannot give pods the ${controller} controller while processes (${pids.slice(0, 8).join(', ')}) are directly in it: move them to a cgroup below it, or choose another --cgroup-root`,
    { cause },
  );
}

const subtreeControl = 'cgroup.subtree_control';

interface ControlFile {
  controller: string;
  file: string;
  value: string;
}

function controlFiles(settings: CgroupSettings): ControlFile[] {
  const { cpuShares, cpuPeriodUs, cpuQuotaUs, memoryLimitBytes, pidsLimit, hugepageLimits = [] } = settings;
  const files: ControlFile[] = [];
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
