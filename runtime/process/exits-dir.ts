/**
 * Where conmon writes the exit codes: in memory (`/run`), as a process must not be forgotten because the disk was full when
 * it ended. A boot forgets them as it forgets the processes: what no agent has read by then is lost. The state directory has a
 * link to them.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readlink, realpath, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './files.ts';

/** Of agents side by side each has its own in it. */
export const exitsRoot = '/run/roslet/exits';
const keyLength = 16;

const targetFor = (stateDir: string): string =>
  join(exitsRoot, createHash('sha256').update(stateDir).digest('hex').slice(0, keyLength));

/** Makes the directory, after a boot again, and returns its path below the state directory. */
export async function openExitsDir(stateDir: string): Promise<string> {
  const path = join(stateDir, 'exits');
  const target = targetFor(await realpath(stateDir));
  await mkdir(target, { recursive: true, mode: 0o700 });
  if (!(await isDirectoryInUse(path))) await linkTo(target, path);
  return path;
}

/** An older agent kept them on the disk: what its containers still write there is read there. */
async function isDirectoryInUse(path: string): Promise<boolean> {
  try {
    if ((await lstat(path)).isDirectory()) await rmdir(path);
    return false;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY')) return true;
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** A state directory that was moved has the link of its old place. */
async function linkTo(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if ((await readlink(path)) === target) return;
    await rm(path);
    await symlink(target, path);
  }
}
