/**
 * Removes what a test containerd leaves when it (or the test run) was killed: shims and their containers, mounts,
 * network, cgroups, files. Everything is found by the test's own directory or names, never by what looks alike.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Owner {
  /** The test run's process. */
  pid: number;
  cgroupParent: string;
  bridge: string;
}

export function writeOwner(dir: string, owner: Owner): void {
  const path = join(dir, 'owner.json');
  writeFileSync(`${path}.new`, JSON.stringify(owner));
  renameSync(`${path}.new`, path);
}

/** What test runs that no longer live left behind. */
export async function sweepAbandoned(prefix: string): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const dir = join(tmpdir(), name);
    if (isAbandoned(dir)) await removeLeftovers(dir);
  }
}

/**
 * What is left of pods once all are removed, of a containerd that runs. Their own cgroups are not: whoever asked for
 * them removes them.
 */
export function leftoversOfPods(dir: string): string[] {
  const owner = readOwner(dir);
  const daemon = Number(readFileSync(join(dir, 'pid'), 'utf8'));
  const containerCgroups = (pods: string) =>
    readdirSync(pods, { withFileTypes: true })
      .filter((pod) => pod.isDirectory())
      .flatMap((pod) => readdirSync(join(pods, pod.name), { withFileTypes: true }))
      .filter((container) => container.isDirectory());
  return [
    ...ownProcesses(dir)
      .filter((pid) => pid !== daemon)
      .map((pid) => `process ${readProc(pid, 'cmdline').replaceAll('\0', ' ')}`),
    ...ownMounts(dir).map((path) => `mount ${path}`),
    ...cgroupDirs(owner?.cgroupParent ?? '/nowhere')
      .flatMap(containerCgroups)
      .map((cgroup) => `cgroup ${join(cgroup.parentPath, cgroup.name)}`),
    ...cniResults(owner?.bridge ?? '').map((name) => `network ${name}`),
  ];
}

export async function removeLeftovers(dir: string): Promise<void> {
  const owner = readOwner(dir);
  const tasks = join(dir, 'state', 'io.containerd.runtime.v2.task', 'k8s.io');
  const shimSockets = existsSync(tasks)
    ? readdirSync(tasks).flatMap((id) => shimSocket(join(tasks, id)))
    : [];
  await killAll(() => [...ownProcesses(dir), ...(owner ? cgroupProcesses(owner.cgroupParent) : [])]);
  for (const path of ownMounts(dir)) execFileSync('umount', ['--lazy', path]);
  for (const socket of shimSockets) rmSync(socket, { force: true });
  if (owner) {
    if (existsSync(`/sys/class/net/${owner.bridge}`)) execFileSync('ip', ['link', 'delete', owner.bridge]);
    removeCniResults(owner.bridge);
    for (const cgroup of cgroupDirs(owner.cgroupParent)) removeCgroup(cgroup);
  }
  rmSync(dir, { recursive: true, force: true });
}

/** A directory without an owner is one that is just being made, unless it has been so for a while. */
function isAbandoned(dir: string): boolean {
  const owner = readOwner(dir);
  if (owner) return !existsSync(`/proc/${owner.pid}`);
  const made = statSync(dir, { throwIfNoEntry: false });
  return made !== undefined && Date.now() - made.mtimeMs > 60_000;
}

function readOwner(dir: string): Owner | undefined {
  const path = join(dir, 'owner.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Owner) : undefined;
}

/** containerd 1.x keeps the address of a shim in `address`, 2.x in `bootstrap.json`. */
function shimSocket(bundle: string): string[] {
  for (const name of ['address', 'bootstrap.json']) {
    const path = join(bundle, name);
    const socket = existsSync(path) && /unix:\/\/([^"\s]+)/.exec(readFileSync(path, 'utf8'))?.[1];
    if (socket) return [socket];
  }
  return [];
}

/** containerd and its shims: each was started with a path below `dir` among its arguments. */
function ownProcesses(dir: string): number[] {
  return pids().filter((pid) => {
    const program = readProc(pid, 'cmdline').split('\0');
    return /containerd/.test(program[0] ?? '') && program.some((argument) => argument.startsWith(`${dir}/`));
  });
}

/** A zombie is still listed in its cgroup, but nothing can or need end it. */
const cgroupProcesses = (cgroup: string): number[] =>
  pids().filter(
    (pid) =>
      readProc(pid, 'cgroup')
        .split('\n')
        .some((line) => line.includes(`:${cgroup}/`)) && !/\) Z /.test(readProc(pid, 'stat')),
  );

async function killAll(find: () => number[]): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const found = find();
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await sleep(20);
  }
  throw new Error(`processes of a test containerd do not end: ${find().join(', ')}`);
}

/** Innermost first. */
function ownMounts(dir: string): string[] {
  const real = existsSync(dir) ? realpathSync(dir) : dir;
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${real}/`))
    .sort()
    .reverse();
}

const cniResultDir = '/var/lib/cni/results';

const cniResults = (network: string): string[] =>
  existsSync(cniResultDir) ? readdirSync(cniResultDir).filter((name) => name.startsWith(`${network}-`)) : [];

function removeCniResults(network: string): void {
  for (const name of cniResults(network)) {
    const id = name.slice(network.length + 1).replace(/-eth0$/, '');
    rmSync(join(cniResultDir, name));
    rmSync(join(cniResultDir, `cni-loopback-${id}-lo`), { force: true });
  }
}

function cgroupDirs(cgroup: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path]) => join(path ?? '', cgroup))
    .filter((path) => existsSync(path));
}

/** Another test run may sweep at the same time. */
function removeCgroup(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(path, entry.name));
    }
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

const pids = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);

/** '' for a process that ended meanwhile. */
function readProc(pid: number, file: 'cmdline' | 'cgroup' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
