/** Reads what `roslet doctor` judges. What cannot be read is undefined: a machine without it is no error. */
import { access, constants, readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';
import { release, version } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { detectLayout } from '../resources/cgroup-layout.ts';
import type { MachineFacts, RosFacts } from './findings.ts';

export async function readFacts(criSocket: string, ros: RosFacts): Promise<MachineFacts> {
  const isRoot = process.getuid?.() === 0;
  const [kernel, governors, network, sharedMemory, time, cgroups, runtimes] = await Promise.all([
    readKernel(),
    readGovernors(),
    readNetwork(),
    readSharedMemory(isRoot),
    readTime(),
    readCgroups(),
    readRuntimes(criSocket),
  ]);
  return { isRoot, kernel, governors, network, sharedMemory, time, cgroups, runtimes, ros };
}

const text = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (content) => content.trim(),
    () => undefined,
  );

async function number(path: string): Promise<number | undefined> {
  const content = await text(path);
  return content !== undefined && /^-?\d+$/.test(content) ? Number(content) : undefined;
}

const names = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function readKernel(): Promise<MachineFacts['kernel']> {
  const config = await kernelConfig();
  const rtRuntimeUs = await number('/proc/sys/kernel/sched_rt_runtime_us');
  const isolatedCpus = await text('/sys/devices/system/cpu/isolated');
  return {
    release: release(),
    version: version(),
    isRealtime: (await text('/sys/kernel/realtime')) === '1' || /\bPREEMPT_RT\b/.test(version()),
    ...(config === undefined ? {} : { hasRtGroups: /^CONFIG_RT_GROUP_SCHED=y$/m.test(config) }),
    ...(rtRuntimeUs === undefined ? {} : { rtRuntimeUs }),
    ...(isolatedCpus === undefined ? {} : { isolatedCpus }),
  };
}

async function kernelConfig(): Promise<string | undefined> {
  const kept = await text(`/boot/config-${release()}`);
  if (kept !== undefined) return kept;
  const packed = await readFile('/proc/config.gz').catch(() => undefined);
  return packed && (await promisify(gunzip)(packed)).toString('utf8');
}

async function readGovernors(): Promise<string[]> {
  const cpus = (await names('/sys/devices/system/cpu')).filter((name) => /^cpu\d+$/.test(name));
  const all = await Promise.all(
    cpus.map((cpu) => text(`/sys/devices/system/cpu/${cpu}/cpufreq/scaling_governor`)),
  );
  return [...new Set(all.filter((governor) => governor !== undefined))];
}

const [flagUp, flagLoopback, flagMulticast] = [0x1, 0x8, 0x1000];

async function readNetwork(): Promise<MachineFacts['network']> {
  const interfaces = await Promise.all(
    (await names('/sys/class/net')).map(async (name) => {
      const flags = Number(await text(`/sys/class/net/${name}/flags`));
      return {
        name,
        isUp: (flags & flagUp) !== 0,
        isLoopback: (flags & flagLoopback) !== 0,
        hasMulticast: (flags & flagMulticast) !== 0,
      };
    }),
  );
  const [rmemMaxBytes, wmemMaxBytes, reassemblyBytes] = await Promise.all([
    number('/proc/sys/net/core/rmem_max'),
    number('/proc/sys/net/core/wmem_max'),
    number('/proc/sys/net/ipv4/ipfrag_high_thresh'),
  ]);
  return {
    interfaces,
    ...(rmemMaxBytes === undefined ? {} : { rmemMaxBytes }),
    ...(wmemMaxBytes === undefined ? {} : { wmemMaxBytes }),
    ...(reassemblyBytes === undefined ? {} : { reassemblyBytes }),
  };
}

const shmDir = '/dev/shm';
/** Fast DDS' segments, ports, their locks and semaphores, and its data sharing. */
const ddsFile = /^(sem\.)?(fastrtps_|fast_datasharing_)/;

async function readSharedMemory(isRoot: boolean): Promise<MachineFacts['sharedMemory']> {
  const { bavail, bsize } = await statfs(shmDir).catch(() => ({ bavail: undefined, bsize: 0 }));
  const free = bavail === undefined ? {} : { freeBytes: bavail * bsize };
  // Of others' processes nobody else knows what they have open.
  if (!isRoot) return free;
  const files = (await names(shmDir)).filter((name) => ddsFile.test(name));
  if (files.length === 0) return { ...free, leftovers: { count: 0, bytes: 0 } };
  const used = await usedFiles();
  // The lock of a segment that is used is not always open itself.
  const isUsed = (name: string) => used.has(name) || used.has(name.replace(/_el$/, ''));
  const left = files.filter((name) => !isUsed(name));
  const sizes = await Promise.all(left.map((name) => stat(join(shmDir, name)).catch(() => undefined)));
  const bytes = sizes.reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0);
  return { ...free, leftovers: { count: left.length, bytes } };
}

/** Names of files in /dev/shm that some process has mapped or open. */
async function usedFiles(): Promise<Set<string>> {
  const used = new Set<string>();
  const note = (path: string): void => {
    if (path.startsWith(`${shmDir}/`)) used.add(path.slice(shmDir.length + 1));
  };
  for (const pid of (await names('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const [, path = ''] of ((await text(`/proc/${pid}/maps`)) ?? '').matchAll(/ (\/dev\/shm\/\S+)/g))
      note(path);
    for (const fd of await names(`/proc/${pid}/fd`))
      note(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
  }
  return used;
}

/** By the names of their processes, which the kernel cuts after 15 characters. */
const timeDaemons: Readonly<Record<string, string>> = {
  chronyd: 'chrony',
  ntpd: 'ntpd',
  'systemd-timesyn': 'systemd-timesyncd',
  ptp4l: 'ptp4l',
  phc2sys: 'phc2sys',
};

async function readTime(): Promise<MachineFacts['time']> {
  const pids = (await names('/proc')).filter((name) => /^\d+$/.test(name));
  const running = await Promise.all(pids.map((pid) => text(`/proc/${pid}/comm`)));
  const daemon = Object.keys(timeDaemons).find((name) => running.includes(name));
  return daemon === undefined ? {} : { daemon: timeDaemons[daemon] ?? daemon };
}

async function readCgroups(): Promise<MachineFacts['cgroups']> {
  const layout = await detectLayout().catch(() => undefined);
  if (layout === undefined) return { controllers: [] };
  return {
    version: layout.version,
    controllers: layout.hierarchies.flatMap(({ controllers }) => controllers),
  };
}

async function readRuntimes(criSocket: string): Promise<MachineFacts['runtimes']> {
  const conmonPath = await onPath('conmon');
  return {
    criSocket,
    hasCri: await isThere(criSocket),
    hasDocker: await isThere('/run/docker.sock'),
    ...(conmonPath === undefined ? {} : { conmonPath }),
  };
}

async function onPath(program: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(dir, program);
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return path;
  }
  return undefined;
}
