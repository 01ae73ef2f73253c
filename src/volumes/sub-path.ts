/**
 * A file or directory inside a volume, found and mounted so that a container that writes the volume meanwhile cannot
 * lead us out of it: the path is walked by descriptors, links are resolved by us, and what is bound is a descriptor.
 */
import { constants } from 'node:fs';
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readlink,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { makeDirectory } from './directory.ts';
import { bindDescriptor, mountedAt, unmount } from './mount.ts';
import { entryOf, hasCode, O_PATH } from './safe-fs.ts';

export class SubPathError extends Error {
  override readonly name = 'SubPathError';
}

/**
 * Binds the sub path of the volume onto the target and returns when it is there. Directories that are missing are
 * made, with the mode of the volume.
 * @param target a path of the agent's own. When something else is mounted there it is replaced.
 * @throws SubPathError when the sub path leads out of the volume or through a file.
 */
export async function bindSubPath(
  volumePath: string,
  subPath: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  await using found = await openInside(await realpath(volumePath), subPath);
  const wanted = await found.stat({ bigint: true });
  if ((await mountedAt(target)) !== undefined) {
    const there = await stat(target, { bigint: true }).catch(ignoreStale);
    if (there !== undefined && there.ino === wanted.ino && there.dev === wanted.dev) return;
    await unmount(target, signal);
  }
  await makeTarget(target, wanted.isDirectory());
  await bindDescriptor(found.fd, target, signal);
}

/** Opens a path below the base, resolving links within the base only. */
async function openInside(base: string, path: string): Promise<FileHandle> {
  await using handles = new AsyncDisposableStack();
  const root = handles.use(await open(base, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  const mode = (await root.stat()).mode & 0o7777;
  const pending = segmentsOf(path);
  const trail = [root];
  let links = 0;
  for (let segment = pending.shift(); segment !== undefined; segment = pending.shift()) {
    const parent = trail.at(-1)!;
    if (segment === '..') {
      if (trail.length === 1) throw leadsOut(path);
      trail.pop();
      continue;
    }
    const entry = handles.use(await openOrMake(parent, segment, mode));
    const stats = await entry.stat();
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > maxLinks) throw new SubPathError(`subPath ${path} has too many links`);
      const link = await linkText(entryOf(parent, segment));
      if (link === undefined) {
        pending.unshift(segment);
      } else {
        if (isAbsolute(link)) trail.length = 1;
        pending.unshift(...segmentsOf(isAbsolute(link) ? insideBase(base, link, path) : link));
      }
    } else if (stats.isDirectory() || pending.length === 0) {
      trail.push(entry);
    } else {
      throw new SubPathError(`subPath ${path} goes through ${segment}, which is not a directory`);
    }
  }
  // Opened anew, since all that the walk holds is closed.
  return await open(`/proc/self/fd/${trail.at(-1)!.fd}`, O_PATH);
}

const maxLinks = 40;

const segmentsOf = (path: string): string[] =>
  path.split('/').filter((segment) => segment !== '' && segment !== '.');

/** It may have changed since it was opened: what it says now keeps us inside as well. Undefined: no link any more. */
async function linkText(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (hasCode(error, 'EINVAL', 'ENOENT')) return undefined;
    throw error;
  }
}

function insideBase(base: string, link: string, path: string): string {
  const inside = relative(base, link);
  if (inside === '..' || inside.startsWith('../')) throw leadsOut(path);
  return inside;
}

const leadsOut = (path: string): SubPathError => new SubPathError(`subPath ${path} leads out of its volume`);

/** Does not follow a link, opens it. */
async function openOrMake(parent: FileHandle, name: string, mode: number): Promise<FileHandle> {
  const path = entryOf(parent, name);
  const flags = O_PATH | constants.O_NOFOLLOW;
  try {
    return await open(path, flags);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    await mkdir(path);
  } catch (error) {
    // Another container of the pod may have made it just now.
    if (hasCode(error, 'EEXIST')) return open(path, flags);
    throw error;
  }
  const made = await open(path, flags | constants.O_DIRECTORY);
  await chmod(`/proc/self/fd/${made.fd}`, mode);
  return made;
}

async function makeTarget(target: string, isDirectory: boolean): Promise<void> {
  await makeDirectory(dirname(target));
  const there = await stat(target).catch(ignoreStale);
  if (there !== undefined && there.isDirectory() !== isDirectory) await rm(target, { recursive: true });
  else if (there !== undefined) return;
  if (isDirectory) await makeDirectory(target);
  else await writeFile(target, '', { mode: 0o640 });
}

/** Nothing there, or the file system behind a mount has gone. */
function ignoreStale(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ESTALE', 'EIO')) return undefined;
  throw error;
}

/** Where the sub path of a container's mount is bound, as in the kubelet's root directory. */
export const subPathTarget = (podDir: string, volume: string, container: string, index: number): string =>
  join(podDir, 'volume-subpaths', volume, container, `${index}`);
