/**
 * What is the same in every cgroup hierarchy: making and removing directories, and the processes in them. A cgroup
 * path is absolute and relative to the root of each hierarchy.
 *
 * Reads and mkdir are synchronous: they ask the kernel's memory, and on a busy machine a detour over the thread pool
 * takes far longer than they do. Writes and rmdir are not, because a limit may be waited for until memory is reclaimed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error-message.ts';
import type { Logger } from '../log.ts';
import { CgroupError, words } from './cgroup-layout.ts';

/** `/a/b` gives `/a`, `/a/b`. */
export function prefixes(path: string): string[] {
  const segments = path.split('/').filter((segment) => segment !== '');
  return segments.map((_, index) => `/${segments.slice(0, index + 1).join('/')}`);
}

export function makeCgroup(dir: string): void {
  // Of the many on the way to a pod's most are there, and an exception costs far more than a look.
  if (existsSync(dir)) return;
  try {
    mkdirSync(dir, { mode: 0o755 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw explained(dir, `cannot create cgroup ${dir}`, error);
  }
}

export function readControl(dir: string, file: string): string | undefined {
  try {
    return readFileSync(join(dir, file), 'utf8');
  } catch (error) {
    // A kernel may have a file of what it was told not to measure, such as pressure.
    if (isGone(error) || codeOf(error) === 'ENOTSUP') return undefined;
    throw explained(join(dir, file), `cannot read ${join(dir, file)}`, error);
  }
}

/** Writes only what differs: some files refuse even the same value while the cgroup is in use. */
export async function writeControl(dir: string, file: string, value: string): Promise<void> {
  if (readControl(dir, file)?.trim() === value) return;
  try {
    await writeFile(join(dir, file), value);
  } catch (error) {
    throw explained(join(dir, file), `cannot write '${value}' to ${join(dir, file)}`, error);
  }
}

export interface ControlWrite {
  controller: string;
  file: string;
  value: string;
}

/**
 * Writes the limits of one cgroup. A kernel may have a controller without all of its files (no CFS bandwidth on many
 * embedded ones): such a limit is told of once, in `lost`, and the others are kept.
 */
export async function applyControls(
  writes: readonly (ControlWrite & { dir: string })[],
  lost: Set<string>,
  log: Logger,
): Promise<void> {
  for (const { dir, file, value } of writes) {
    if (readControl(dir, file) !== undefined || readControl(dir, 'cgroup.procs') === undefined) {
      await writeControl(dir, file, value);
    } else if (!lost.has(file)) {
      lost.add(file);
      log.warn({ file }, `pods run without the limit ${file}: this kernel does not have it`);
    }
  }
}

/** Names of the cgroups directly below; empty when there is no such directory. */
export function childCgroups(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isGone(error)) return [];
    throw explained(dir, `cannot list cgroup ${dir}`, error);
  }
}

/** Every process in the cgroup and below it. */
export function pidsBelow(dir: string): Set<number> {
  const below = childCgroups(dir).flatMap((child) => [...pidsBelow(join(dir, child))]);
  return new Set([...ownPids(dir), ...below]);
}

/**
 * Kills what is inside the cgroups (one per hierarchy) and removes them, deepest first, until they are gone: a killed
 * process leaves its cgroup only when the kernel has torn it down.
 * @throws CgroupError when something does not die in time.
 */
export async function removeCgroups(dirs: readonly string[], signal?: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + removeTimeoutMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
    signal?.throwIfAborted();
    const left: string[] = [];
    for (const dir of dirs) {
      if (!(await removeTree(dir))) left.push(dir);
    }
    if (left.length === 0) return;
    if (performance.now() > deadlineMs) throw stillBusy(left);
    for (const dir of left) await killTree(dir);
    await delay(pauseMs * (0.75 + Math.random() / 2), undefined, { signal });
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const removeTimeoutMs = 10_000;
const maxPauseMs = 250;

/** ENODEV: the cgroup was removed while its file was open. */
const isGone = (error: unknown): boolean => ['ENOENT', 'ENODEV', 'ENOTDIR'].includes(codeOf(error) ?? '');

function ownPids(dir: string): number[] {
  const text = readControl(dir, 'cgroup.procs') ?? '';
  // 0 stands for a process outside this pid namespace: it cannot be named here.
  return words(text)
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Returns whether it is gone. */
async function removeTree(dir: string): Promise<boolean> {
  // A pod is in one QoS class of three: most are not there, and a rmdir takes a detour over the thread pool.
  if (!existsSync(dir)) return true;
  let empty = true;
  for (const child of childCgroups(dir)) empty = (await removeTree(join(dir, child))) && empty;
  if (!empty) return false;
  try {
    await rmdir(dir);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    if (codeOf(error) === 'EBUSY' || codeOf(error) === 'ENOTEMPTY') return false;
    throw explained(dir, `cannot remove cgroup ${dir}`, error);
  }
}

async function killTree(dir: string): Promise<void> {
  // A frozen process takes a SIGKILL only once it is thawed (v1).
  if (readControl(dir, 'freezer.state')?.trim() === 'FROZEN')
    await writeControl(dir, 'freezer.state', 'THAWED');
  if (killAtOnce(dir)) return;
  for (const pid of ownPids(dir)) kill(pid);
  for (const child of childCgroups(dir)) await killTree(join(dir, child));
}

/** cgroup.kill (v2, Linux 5.14) ends the whole tree, also what forks meanwhile. Not below the agent itself. */
function killAtOnce(dir: string): boolean {
  if (pidsBelow(dir).has(process.pid)) return false;
  try {
    // Never made where it is missing.
    writeFileSync(join(dir, 'cgroup.kill'), '1', { flag: 'r+' });
    return true;
  } catch (error) {
    // Threaded cgroups cannot be killed as a whole.
    if (isGone(error) || codeOf(error) === 'ENOTSUP') return false;
    throw explained(dir, `cannot kill cgroup ${dir}`, error);
  }
}

function kill(pid: number): void {
  if (pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

function stillBusy(dirs: readonly string[]): CgroupError {
  const pids = new Set(dirs.flatMap((dir) => [...pidsBelow(dir)]));
  const who =
    pids.size === 0
      ? 'the kernel still holds them'
      : `processes ${[...pids].join(', ')} do not die, perhaps in uninterruptible I/O`;
  return new CgroupError(dirs[0] ?? '', `cannot remove cgroups ${dirs.join(', ')}: ${who}`);
}

function explained(path: string, what: string, error: unknown): CgroupError {
  const code = codeOf(error);
  const advice: Partial<Record<string, string>> = {
    EACCES: 'permission denied; run the agent as root',
    EPERM: 'not permitted; run the agent as root, with the cgroup file system of the host',
    EROFS:
      'the cgroup file system is mounted read-only; mount it writable, or give --cgroup-root a delegated one',
  };
  const why = (code !== undefined && advice[code]) || messageOf(error);
  return new CgroupError(path, `${what}: ${why}`, { cause: error });
}
