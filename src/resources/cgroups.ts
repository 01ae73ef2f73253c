/**
 * The tree of cgroups that pods live in, as the kubelet builds it: one for all pods, those of the QoS classes, one for each
 * pod (names in pod-cgroup-names.ts). What is below belongs to the runtimes. Everything is idempotent; what is on disk is the
 * truth, so a restarted agent needs to remember nothing.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid } from '../pods/identity.ts';
import type { ResourceAmounts } from './amounts.ts';
import type { CgroupDetails } from './cgroup-details.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import { CgroupError, cgroupOfProcess, detectLayout, missingControllers } from './cgroup-layout.ts';
import type { CgroupStats } from './cgroup-stats.ts';
import { childCgroups, pidsBelow } from './cgroup-tree.ts';
import {
  allocatableSettings,
  cpuShares,
  minCpuShares,
  podSettings,
  type ReservedAmounts,
  type ResourceContext,
  reservedSettings,
  widest,
} from './container.ts';
import { type CgroupDriverKind, existingCgroup, podCgroupNames } from './pod-cgroup-names.ts';
import { podRequests, qosClass } from './qos.ts';
import { systemdBus } from './systemd/bus.ts';
import { sliceDriver } from './systemd/slice-driver.ts';
import { systemdSlices } from './systemd/units.ts';
import { cgroupV1 } from './v1.ts';
import { cgroupV2 } from './v2.ts';

export interface CgroupManager {
  readonly version: 1 | 2;
  /** Controllers and limits (`cpu.cfs_quota_us`) that pods would need and this machine does not give. */
  readonly missing: readonly string[];
  /** Makes the cgroup of all pods and those of the QoS classes. Undefined: pods together are not limited. */
  ensureNode(allocatable: ResourceAmounts | undefined): Promise<void>;
  /** Limits a cgroup that is there. @throws CgroupError when it is not, or cannot be limited */
  limitReserved(reserved: ReservedCgroup): Promise<void>;
  /**
   * Makes the pod's cgroup and sets its limits. Returns its path, absolute, relative to each hierarchy's root.
   */
  ensurePod(pod: Pod, options?: EnsurePodOptions): Promise<string>;
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

/** Of the machine's services, or of the agent and the runtime. */
export interface ReservedCgroup {
  /** As configured. */
  name: string;
  amounts: ReservedAmounts;
}

export interface EnsurePodOptions {
  /** Another state of the pod for which there has to be room too. */
  also?: Pod;
  /** Its containers are no units of systemd. */
  withoutEngine?: boolean;
}

export interface MeasuredCgroup {
  /** Relative to the root of each hierarchy. */
  path: string;
  stats: CgroupStats;
  details: CgroupDetails;
}

export interface CgroupOptions {
  driver: CgroupDriverKind;
  /** Parent of the cgroup of all pods, e.g. `/`. */
  cgroupRoot: string;
  /** Off: pods get no cgroups of their own, only the root. */
  cgroupsPerQos: boolean;
  /** Processes a pod may have; −1: no limit. */
  podPidsLimit: number;
  context: Pick<ResourceContext, 'hugepageSizes' | 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs'>;
  log: Logger;
  /** Ends the connection to systemd. */
  signal: AbortSignal;
}

/** Of all pods, with cgroups per QoS class. */
export const podsCgroup = (driver: CgroupDriverKind, cgroupRoot: string): string =>
  podCgroupNames(driver, cgroupRoot).parents.Guaranteed;

/** @throws CgroupError when no cgroup file system is mounted, or the driver is systemd on v1 */
export async function createCgroupManager(options: CgroupOptions): Promise<CgroupManager> {
  const layout = await detectLayout();
  const missing = missingControllers(layout, await readFile('/proc/cgroups', 'utf8'));
  for (const { controller, message } of missing) {
    options.log.warn({ controller }, `pods run without ${controller} limits: ${message}`);
  }
  const files = layout.version === 1 ? cgroupV1(layout, options.log) : cgroupV2(layout, options.log);
  const driver = options.driver === 'systemd' ? slicesOver(files, options.signal) : files;
  return cgroupManager(
    driver,
    missing.map(({ controller }) => controller),
    options,
  );
}

function slicesOver(files: CgroupDriver, signal: AbortSignal): CgroupDriver {
  if (files.version === 1) {
    throw new CgroupError(
      '/sys/fs/cgroup',
      'cgroupDriver: systemd needs cgroup v2, and this machine has v1: use cgroupfs, for the container engine too, or start the kernel with systemd.unified_cgroup_hierarchy=1',
    );
  }
  const bus = systemdBus();
  signal.addEventListener('abort', () => bus.close(), { once: true });
  return sliceDriver(files, systemdSlices(bus));
}

function cgroupManager(
  driver: CgroupDriver,
  missing: readonly string[],
  { driver: driverKind, cgroupRoot, cgroupsPerQos, podPidsLimit, context }: CgroupOptions,
): CgroupManager {
  const names = podCgroupNames(driverKind, cgroupRoot);
  const { parents } = names;
  const base = cgroupsPerQos ? parents.Guaranteed : join('/', cgroupRoot);
  const podPathsOf = (uid: string) => Object.values(parents).map((parent) => names.pod(parent, uid));
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
        for (const name of childCgroups(join(root, parent))) {
          const uid = names.uidOf(name);
          if (uid !== undefined) uids.add(uid);
        }
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

    limitReserved: async ({ name, amounts }) => {
      const path = existingCgroup(driverKind, name);
      if (!driver.roots.some((root) => existsSync(join(root, path)))) {
        throw new CgroupError(
          path,
          `the cgroup ${path} that is to be held to what is reserved does not exist`,
        );
      }
      // Elsewhere a limit needs nothing of the cgroups above.
      if (driver.version === 2) await driver.create(dirname(path));
      await driver.apply(path, reservedSettings(amounts));
    },

    ensurePod: async (pod, { also, withoutEngine = false } = {}) => {
      if (!cgroupsPerQos) return base;
      const path = names.pod(parents[qosClass(pod)], podUid(pod));
      await driver.create(path);
      if (withoutEngine) await driver.holdControllers(path);
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
      if (cgroupsPerQos) await driver.remove(podPathsOf(uid), signal);
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
      const inside = new Set(driver.roots.flatMap((root) => childCgroups(join(root, path))));
      return [path, ...[...inside].map((name) => join(path, name))].map(measured);
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
