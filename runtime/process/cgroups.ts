/**
 * The cgroups of sandboxes and containers: one directory of the same path in every hierarchy, made before the process
 * that joins it and removed after it. cgroupfs is the kernel's memory: it is read and written synchronously.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/error-message.ts';
import { type LinuxContainerResources, RuntimeError } from '../runtime.ts';
import { type CgroupWrite, cgroupWrites } from './cgroup-files.ts';
import { hasCode, readKernelFile } from './files.ts';
import { type Hierarchy, machineHierarchies } from './hierarchies.ts';

export interface Cgroups {
  /** Makes the cgroup and its parents. */
  create(path: string): void;
  /** The cgroup's directory in each hierarchy. */
  directories(path: string): string[];
  /** Directory in which the cgroups of commands run in a container are made, to find their processes by. */
  trackingDirectory(path: string): string;
  apply(path: string, resources: LinuxContainerResources): void;
  /** Content of a controller's file; undefined when it is not there. */
  read(path: string, controller: string, file: string): string | undefined;
  /** True where the controller is that of cgroup v2. */
  isUnified(controller: string): boolean;
  /** Processes in the cgroup itself that can be seen from here. */
  processes(path: string): number[];
  /** Kills all that is in the cgroup or below until nothing is. @throws RuntimeError when something does not die. */
  kill(path: string): Promise<void>;
  /** Removes the tracking cgroups right below that are meant and empty. */
  removeEmptyBelow(path: string, meant: (name: string) => boolean): void;
  /** Removes it and all below. @throws RuntimeError when the kernel holds on to it. */
  remove(path: string): Promise<void>;
}

const killPatienceMs = 10_000;
const controllersWanted = ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb', 'io'];

export function cgroups(hierarchies: readonly Hierarchy[] = machineHierarchies()): Cgroups {
  const unified = hierarchies.find((hierarchy) => hierarchy.version === 2);
  const holder = (controller: string): Hierarchy | undefined =>
    hierarchies.find((hierarchy) => hierarchy.controllers.includes(controller)) ?? unified;
  const tracking = unified ?? holder('freezer') ?? hierarchies[0];
  if (!tracking)
    throw new RuntimeError('FailedPrecondition', 'no cgroup hierarchy is mounted below /sys/fs/cgroup');
  const directories = (path: string): string[] =>
    hierarchies.map((hierarchy) => join(hierarchy.mountPoint, path));

  function write(path: string, { controller, file, value }: CgroupWrite): void {
    const hierarchy = holder(controller);
    const target = hierarchy && join(hierarchy.mountPoint, path, file);
    if (!target || !existsSync(target)) {
      // A kernel that cannot count huge pages cannot hold a pod that asked for none to that, nor needs to.
      if (controller === 'hugetlb' && value === '0') return;
      throw new RuntimeError(
        'FailedPrecondition',
        `this kernel has no ${file} to set to ${value} for ${path}`,
      );
    }
    try {
      if (readFileSync(target, 'utf8').trim() !== value) writeFileSync(target, value);
    } catch (error) {
      const cause = messageOf(error);
      throw new RuntimeError('FailedPrecondition', `cannot set ${file} to ${value}: ${cause}`, {
        cause: error,
      });
    }
  }

  async function kill(path: string): Promise<void> {
    const deadline = Date.now() + killPatienceMs;
    for (let waitMs = 0; ; waitMs = Math.min(waitMs + 1, 20)) {
      const left = directories(path).flatMap((directory) => processesBelow(directory));
      if (left.length === 0) return;
      if (Date.now() > deadline)
        throw new RuntimeError(
          'DeadlineExceeded',
          left.every(isVisible)
            ? `processes ${[...new Set(left)].join(', ')} were killed but do not end: they wait in the kernel`
            : `processes in ${path} are of a pid namespace that cannot be seen from here, so they are not killed`,
        );
      if (!killAtOnce(join(tracking?.mountPoint ?? '', path)) || waitMs > 5)
        for (const pid of left.filter(isVisible)) killOne(pid);
      await sleep(waitMs);
    }
  }

  return {
    create(path) {
      for (const hierarchy of hierarchies) makeDirectory(hierarchy, path);
    },
    directories,
    trackingDirectory: (path) => join(tracking.mountPoint, path),
    apply(path, resources) {
      // A hybrid machine has each controller in one of the versions.
      const versions = new Set(hierarchies.map((hierarchy) => hierarchy.version));
      const writes = [...versions].flatMap((version) =>
        cgroupWrites(resources, version).filter(({ controller }) => holder(controller)?.version === version),
      );
      for (const entry of orderMemory(writes, path)) write(path, entry);
    },
    read(path, controller, file) {
      const hierarchy = holder(controller);
      return hierarchy && readKernelFile(join(hierarchy.mountPoint, path, file));
    },
    isUnified: (controller) => holder(controller)?.version === 2,
    processes: (path) => processesIn(join(tracking.mountPoint, path)).filter(isVisible),
    kill,
    removeEmptyBelow(path, meant) {
      for (const directory of childrenOf(join(tracking.mountPoint, path)))
        if (meant(basename(directory))) removeTree(directory);
    },
    async remove(path) {
      for (let waitMs = 0; ; waitMs += 2) {
        await kill(path);
        const busy = directories(path).filter((directory) => !removeTree(directory));
        if (busy.length === 0) return;
        if (waitMs > 100)
          throw new RuntimeError('FailedPrecondition', `the kernel does not let go of ${busy.join(', ')}`);
        await sleep(waitMs);
      }
    },
  };

  /** v1 refuses a memory limit above the memory+swap limit: raise that one first. */
  function orderMemory(writes: CgroupWrite[], path: string): CgroupWrite[] {
    const swap = writes.find((entry) => entry.file === 'memory.memsw.limit_in_bytes');
    const hierarchy = holder('memory');
    if (!swap || !hierarchy) return writes;
    const now = Number(readKernelFile(join(hierarchy.mountPoint, path, swap.file)) ?? 0);
    return Number(swap.value) > now ? [swap, ...writes.filter((entry) => entry !== swap)] : writes;
  }
}

function makeDirectory(hierarchy: Hierarchy, path: string): void {
  const directory = join(hierarchy.mountPoint, path);
  const parent = dirname(path);
  if (!existsSync(directory)) {
    if (parent !== path) makeDirectory(hierarchy, parent);
    if (hierarchy.version === 2) enableControllers(join(hierarchy.mountPoint, parent));
    try {
      mkdirSync(directory);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  if (!hierarchy.controllers.includes('cpuset')) return;
  // A new v1 cpuset has no CPUs: nothing can join it before it has some. An old one has none either if its maker was killed.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFileSync(join(directory, file), 'utf8').trim() !== '') continue;
    if (parent !== path) makeDirectory(hierarchy, parent);
    writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file)));
  }
}

/** What cannot be enabled is missed, and said, when a container asks for it. */
function enableControllers(directory: string): void {
  const available = readKernelFile(join(directory, 'cgroup.controllers'))?.trim().split(' ') ?? [];
  const enabled = readKernelFile(join(directory, 'cgroup.subtree_control'))?.trim().split(' ') ?? [];
  for (const controller of controllersWanted) {
    if (!available.includes(controller) || enabled.includes(controller)) continue;
    try {
      writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      if (!hasCode(error, 'EBUSY', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOENT')) throw error;
    }
  }
}

function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

const processesIn = (directory: string): number[] =>
  readKernelFile(join(directory, 'cgroup.procs'))?.split('\n').filter(Boolean).map(Number) ?? [];

const processesBelow = (directory: string): number[] => [
  ...processesIn(directory),
  ...childrenOf(directory).flatMap(processesBelow),
];

/** 0 stands for a process of a pid namespace that is not ours to see; to kill(2) it means our own group. */
const isVisible = (pid: number): boolean => pid > 0;

/** cgroup.kill (Linux 5.14) also gets those that fork while being killed. */
function killAtOnce(directory: string): boolean {
  try {
    writeFileSync(join(directory, 'cgroup.kill'), '1', { flag: 'r+' });
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EINVAL', 'ENODEV', 'EOPNOTSUPP')) return false;
    throw error;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** False when something is still in there. */
function removeTree(directory: string): boolean {
  if (!childrenOf(directory).map(removeTree).every(Boolean)) return false;
  try {
    rmdirSync(directory);
  } catch (error) {
    if (hasCode(error, 'EBUSY', 'ENOTEMPTY')) return false;
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return true;
}
