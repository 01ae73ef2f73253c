/**
 * File operations in directories that a container may have written, or is writing: no symbolic link is followed and
 * no mount is entered. Every step goes through the descriptor of a directory that is already held
 * (`/proc/self/fd/<n>/<name>` is what openat(2) is elsewhere), so what a path means cannot change under us.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readFile, rename, rmdir, unlink } from 'node:fs/promises';

/** Missing in Node's constants: a descriptor that only stands for the file. */
export const O_PATH = 0o10000000;

/** Name of an entry of a directory that is held open. */
export const entryOf = (directory: FileHandle, name: string): string =>
  `/proc/self/fd/${directory.fd}/${name}`;

const openDirectory = (path: string): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

/**
 * Removes a file, a link or a directory with all that is in it. What is gone already is success, since two may remove
 * the same. Fails where it meets a mount, of which it touches nothing.
 * @param path whose parent no container can write.
 */
export async function removeTree(path: string, signal: AbortSignal): Promise<void> {
  await ifThere(async () => {
    if (!(await lstat(path)).isDirectory()) return unlink(path);
    await using root = await openDirectory(path);
    await empty(root, { root, path, mountId: await mountId(root) }, 0, signal);
    await rmdir(path);
  });
}

export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

interface Removal {
  root: FileHandle;
  /** For messages. */
  path: string;
  mountId: string;
}

/** Descriptors held at once. What lies deeper is moved up first, or a container could nest us out of descriptors. */
const maxDepth = 32;

async function empty(
  directory: FileHandle,
  removal: Removal,
  depth: number,
  signal: AbortSignal,
): Promise<void> {
  // A listing that is changed while it is read may miss entries: until it shows none.
  for (let found = true; found; ) {
    found = false;
    for await (const entry of await opendir(entryOf(directory, '.'), { bufferSize: 256 })) {
      signal.throwIfAborted();
      found = true;
      const path = entryOf(directory, entry.name);
      await ifThere(() =>
        entry.isDirectory() ? removeDirectory(path, entry.name, removal, depth, signal) : unlink(path),
      );
    }
  }
}

async function removeDirectory(
  path: string,
  name: string,
  removal: Removal,
  depth: number,
  signal: AbortSignal,
): Promise<void> {
  {
    await using child = await openDirectory(path);
    if ((await mountId(child)) !== removal.mountId) {
      throw new Error(`something is mounted at ${name} below ${removal.path}: unmount it`);
    }
    if (depth < maxDepth) await empty(child, removal, depth + 1, signal);
  }
  if (depth < maxDepth) return rmdir(path);
  await rename(path, entryOf(removal.root, `.roslet-removed-${randomUUID()}`));
}

async function ifThere(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Tells apart bind mounts of one file system, which device numbers do not. */
async function mountId(directory: FileHandle): Promise<string> {
  const info = await readFile(`/proc/self/fdinfo/${directory.fd}`, 'utf8');
  return /^mnt_id:\s*(\d+)$/m.exec(info)?.[1] ?? '';
}
