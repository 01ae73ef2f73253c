/**
 * The tree of cgroups that pods live in, as the kubelet builds it with the cgroupfs driver:
 * `<root>/kubepods[/burstable|/besteffort]/pod<uid>/<container>`. The last level belongs to the runtimes. Everything is
 * idempotent; what is on disk is the truth, so a restarted agent needs to remember nothing.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid } from '../pods/identity.ts';
import type { ResourceAmounts } from './amounts.ts';
import type { CgroupDetails } from './cgroup-details.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import { CgroupError, cgroupOfProcess, detectLayout, missingControllers } from './cgroup-layout.ts';
import type { CgroupStats } from './cgroup-stats.ts';
import { childCgroups, pidsBelow, removeCgroups } from './cgroup-tree.ts';
import {
  allocatableSettings,
  cpuShares,
  minCpuShares,
  podSettings,
  type ResourceContext,
  widest,
} from './container.ts';
import { podRequests, qosClass } from './qos.ts';
import { cgroupV1 } from './v1.ts';
import { cgroupV2 } from './v2.ts';

export interface CgroupManager {
  readonly version: 1 | 2;
  /** Controllers and limits (`cpu.cfs_quota_us`) that pods would need and this machine does not give. */
  readonly missing: readonly string[];
  /** Makes the cgroup of all pods and those of the QoS classes. Undefined: pods together are not limited. */
  ensureNode(allocatable: ResourceAmounts | undefined): Promise<void>;
  /**
   * Makes the pod's cgroup and sets its limits. Returns its path, absolute, relative to each hierarchy's root.
   * @param also another state of the pod for which there has to be room too
   */
  ensurePod(pod: Pod, also?: Pod): Promise<string>;
  /** Gives burstable pods together the cpu shares that they ask for, so that they stand up to the others. */
  updateQos(pods: readonly Pod[]): Promise<void>;
  /** Kills what is left of the pod and removes its cgroup from every hierarchy. */
  removePod(uid: string, signal?: AbortSignal): Promise<void>;
  /** Uids of the pods that have a cgroup in any hierarchy. */
  podUids(): Promise<string[]>;
  /** Undefined when the pod has no cgroup. */
  podStats(uid: string): Promise<CgroupStats | undefined>;
  /** The pod's cgroup, then those of its containers by their names there; empty when the pod has none. */
  podCgroups(uid: string): Promise<MeasuredCgroup[]>;
  /** All pods together. */
  nodeStats(): Promise<MeasuredCgroup>;
  /** Of the cgroup that a process is in, with whatever else is there; undefined when that is the root, or not one alone. */
  processStats(pid: number): Promise<MeasuredCgroup | undefined>;
  pids(uid: string): Promise<number[]>;
}

export interface MeasuredCgroup {
  /** Relative to the root of each hierarchy. */
  path: string;
  stats: CgroupStats;
  details: CgroupDetails;
}

export interface CgroupOptions {
  /** Parent of `kubepods`, e.g. `/`. */
  cgroupRoot: string;
  /** Off: pods get no cgroups of their own, only the root. */
  cgroupsPerQos: boolean;
  /** Processes a pod may have; −1: no limit. */
  podPidsLimit: number;
  context: Pick<ResourceContext, 'hugepageSizes' | 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs'>;
  log: Logger;
}

/** Of all pods, with cgroups per QoS class. */
export const podsCgroup = (cgroupRoot: string): string => join('/', cgroupRoot, 'kubepods');

/** @throws CgroupError when no cgroup file system is mounted. */
export async function createCgroupManager(options: CgroupOptions): Promise<CgroupManager> {
  const layout = await detectLayout();
  const missing = missingControllers(layout, await readFile('/proc/cgroups', 'utf8'));
  for (const { controller, message } of missing) {
    options.log.warn({ controller }, `pods run without ${controller} limits: ${message}`);
  }
  return cgroupManager(
    layout.version === 1 ? cgroupV1(layout, options.log) : cgroupV2(layout, options.log),
    missing.map(({ controller }) => controller),
    options,
  );
}

function cgroupManager(
  driver: CgroupDriver,
  missing: readonly string[],
  { cgroupRoot, cgroupsPerQos, podPidsLimit, context }: CgroupOptions,
): CgroupManager {
  const base = cgroupsPerQos ? podsCgroup(cgroupRoot) : join('/', cgroupRoot);
  // Where pods of the three classes are: Guaranteed ones directly below the base.
  const parents = {
    Guaranteed: base,
    Burstable: join(base, 'burstable'),
    BestEffort: join(base, 'besteffort'),
  };
  const podPathsOf = (uid: string) => Object.values(parents).map((parent) => join(parent, podName(uid)));
  const podDirsOf = (uid: string) =>
    driver.roots.flatMap((root) => podPathsOf(uid).map((p) => join(root, p)));

  const measured = (path: string): MeasuredCgroup => ({
    path,
    stats: driver.stats(path),
    details: driver.details(path),
  });

  const podUids = async () => {
    if (!cgroupsPerQos) return [];
    const uids = new Set<string>();
    for (const root of driver.roots) {
      for (const parent of Object.values(parents)) {
        const names = childCgroups(join(root, parent));
        for (const name of names) if (name.startsWith(podPrefix)) uids.add(name.slice(podPrefix.length));
      }
    }
    return [...uids];
  };

  return {
    version: driver.version,
    get missing() {
      return [...missing, ...driver.lost];
    },

    ensureNode: async (allocatable) => {
      await driver.create(base);
      if (!cgroupsPerQos) return;
      if (allocatable !== undefined) {
        await driver.apply(base, allocatableSettings(allocatable, context.hugepageSizes));
      }
      await driver.create(parents.Burstable);
      await driver.create(parents.BestEffort);
      await driver.apply(parents.BestEffort, { cpuShares: minCpuShares });
    },

    ensurePod: async (pod, also) => {
      if (!cgroupsPerQos) return base;
      const path = join(parents[qosClass(pod)], podName(podUid(pod)));
      await driver.create(path);
      const settings = podSettings(pod, context);
      const room = also === undefined ? settings : widest(settings, podSettings(also, context));
      await driver.apply(path, { ...room, pidsLimit: podPidsLimit });
      return path;
    },

    updateQos: async (pods) => {
      if (!cgroupsPerQos) return;
      const burstable = pods.filter((pod) => qosClass(pod) === 'Burstable');
      const cpuMillis = burstable.reduce((total, pod) => total + (podRequests(pod).cpu ?? 0), 0);
      await driver.apply(parents.Burstable, { cpuShares: cpuShares(cpuMillis) });
    },

    removePod: async (uid, signal) => {
      if (cgroupsPerQos) await removeCgroups(podDirsOf(uid), signal);
    },

    podUids,

    podStats: async (uid) => {
      for (const path of podPathsOf(uid)) {
        const stats = driver.stats(path);
        if (stats.memoryUsageBytes !== undefined || stats.cpuUsageCoreNanoSeconds !== undefined) return stats;
      }
      return undefined;
    },

    podCgroups: async (uid) => {
      const path = podPathsOf(uid).find((each) => driver.roots.some((root) => existsSync(join(root, each))));
      if (path === undefined) return [];
      const names = new Set(driver.roots.flatMap((root) => childCgroups(join(root, path))));
      return [path, ...[...names].map((name) => join(path, name))].map(measured);
    },

    nodeStats: async () => measured(base),

    processStats: async (pid) => {
      const path = cgroupOfProcess(await readFile(`/proc/${pid}/cgroup`, 'utf8'), driver.version);
      return path === undefined ? undefined : measured(path);
    },

    pids: async (uid) => {
      const pids = new Set(podDirsOf(uid).flatMap((dir) => [...pidsBelow(dir)]));
      return [...pids].sort((a, b) => a - b);
    },
  };
}

const podPrefix = 'pod';

/** A uid with a path in it would have another cgroup killed and removed. */
function podName(uid: string): string {
  if (!/^[\w-][\w.-]*$/.test(uid)) throw new CgroupError(uid, `'${uid}' cannot be the uid of a pod`);
  return podPrefix + uid;
}
