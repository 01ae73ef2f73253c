/**
 * Gives what a volume holds to the group of a pod (fsGroup), as the kubelet does: the group may read and write, and what
 * is made later belongs to it too. The volume may be written by containers meanwhile: no link is followed, and the root
 * comes last, so that a root that is right shows that all is (fsGroupChangePolicy OnRootMismatch).
 */
import { constants, type Stats } from 'node:fs';
import { chmod, chown, type FileHandle, lchown, open, opendir } from 'node:fs/promises';
import { entryOf, hasCode, O_PATH } from './safe-fs.ts';

/** @param onlyIfRootDiffers where the root is as it should be the rest is taken to be so, too */
export async function giveToGroup(
  dir: string,
  gid: number,
  onlyIfRootDiffers: boolean,
  signal: AbortSignal,
): Promise<void> {
  await using root = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  if (onlyIfRootDiffers && isGiven(await root.stat(), gid)) return;
  await giveDirectory(root, gid, 0, signal);
}

export const isGiven = ({ gid, mode }: Pick<Stats, 'gid' | 'mode'>, wanted: number): boolean =>
  gid === wanted && (mode & directoryBits) === directoryBits;

/** Each level holds a descriptor. */
const maxDepth = 200;

const directoryBits = 0o2770;
const fileBits = 0o660;

async function giveDirectory(
  directory: FileHandle,
  gid: number,
  depth: number,
  signal: AbortSignal,
): Promise<void> {
  if (depth > maxDepth)
    throw new Error(`directories are nested deeper than ${maxDepth}: fsGroup is not given`);
  for await (const { name } of await opendir(entryOf(directory, '.'), { bufferSize: 256 })) {
    signal.throwIfAborted();
    try {
      await giveEntry(directory, name, gid, depth, signal);
    } catch (error) {
      // Removed, or made another kind of thing, while we looked.
      if (!hasCode(error, 'ENOENT', 'ELOOP', 'ENOTDIR')) throw error;
    }
  }
  await giveHandle(directory, gid, directoryBits);
}

async function giveEntry(
  directory: FileHandle,
  name: string,
  gid: number,
  depth: number,
  signal: AbortSignal,
): Promise<void> {
  const path = entryOf(directory, name);
  await using entry = await open(path, O_PATH | constants.O_NOFOLLOW);
  const stat = await entry.stat();
  if (stat.isSymbolicLink()) await lchown(path, -1, gid);
  else if (!stat.isDirectory()) await giveHandle(entry, gid, fileBits);
  else {
    await using child = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    await giveDirectory(child, gid, depth + 1, signal);
  }
}

/** What the descriptor stands for, whatever its name means by now. */
async function giveHandle(handle: FileHandle, gid: number, bits: number): Promise<void> {
  const path = `/proc/self/fd/${handle.fd}`;
  await chown(path, -1, gid);
  // After the owner was changed, which clears the bits of set-id programs.
  const { mode } = await handle.stat();
  await chmod(path, (mode & 0o7777) | bits);
}
