/** The directories that volumes are: on the disk, or in memory for secrets and for emptyDir with medium Memory. */
import { mkdir } from 'node:fs/promises';
import { MountError, mountedAt, mountFilesystem } from './mount.ts';

/** Makes the directory a tmpfs unless it is one. */
export async function ensureTmpfs(
  dir: string,
  sizeBytes: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  await makeDirectory(dir);
  if ((await mountedAt(dir))?.fsType === 'tmpfs') return;
  const size = sizeBytes === undefined ? [] : [`size=${sizeBytes}`];
  try {
    await mountFilesystem('tmpfs', dir, [...size, 'noswap'], signal);
  } catch (error) {
    // Kernels before 6.4 know no noswap.
    if (!(error instanceof MountError)) throw error;
    await mountFilesystem('tmpfs', dir, size, signal);
  }
}

/** The directory and those above it: closed to all but the agent, as the kubelet's are. */
export async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o750 });
}
