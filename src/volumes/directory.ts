/** The directories that volumes are: on the disk, or in memory for secrets and for emptyDir with medium Memory. */
import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MountError, mountFilesystem } from './mount.ts';

/** Makes the directory a tmpfs unless it is one. */
export async function ensureTmpfs(
  dir: string,
  sizeBytes: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  await makeDirectory(dir);
  if (await isTmpfs(dir)) return;
  const size = sizeBytes === undefined ? [] : [`size=${sizeBytes}`];
  try {
    await mountFilesystem('tmpfs', dir, [...size, 'noswap'], signal);
  } catch (error) {
    // Kernels before 6.4 know no noswap.
    if (!(error instanceof MountError)) throw error;
    await mountFilesystem('tmpfs', dir, size, signal);
  }
}

/**
 * Whether a tmpfs of its own is mounted at the directory. The mount table would say so too, but holds each mount of each
 * container.
 */
export async function isTmpfs(dir: string): Promise<boolean> {
  const [{ type }, { dev }, above] = await Promise.all([statfs(dir), stat(dir), stat(dirname(dir))]);
  return type === tmpfsMagic && dev !== above.dev;
}

/** statfs(2) */
const tmpfsMagic = 0x01021994;

/** The directory and those above it: closed to all but the agent, as the kubelet's are. */
export async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o750 });
}
