/**
 * Scratch space that lives as long as its pod: on the disk, in memory (tmpfs) or in huge pages (hugetlbfs).
 * It is made once; a note beside the volume says so, and from then on the content is the containers'.
 */
import { chmod, chown, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../api/core.gen.ts';
import { quantityValue } from '../api/quantity.ts';
import { hugepageBytes, isHugepages } from '../resources/amounts.ts';
import { isLimited, podLimits } from '../resources/qos.ts';
import { ensureTmpfs, isTmpfs, makeDirectory } from './directory.ts';
import { mountedAt, mountFilesystem } from './mount.ts';
import { hasCode } from './safe-fs.ts';
import type { VolumeContext, VolumePlugin } from './volume.ts';

export const emptyDirPlugin = (): VolumePlugin => ({
  dirName: 'kubernetes.io~empty-dir',
  readOnly: false,
  managed: true,
  async setUp(context, volume, dir, signal) {
    const medium = volume.emptyDir?.medium ?? '';
    const note = join(context.metaDir, 'ready');
    if ((await exists(note)) && (await isThere(medium, dir))) return;
    await make(medium, context, volume, dir, signal);
    const gid = context.pod.spec?.securityContext?.fsGroup;
    if (gid !== undefined) await chown(dir, -1, gid);
    // As the kernel makes a file system in memory: there nobody removes the files of others.
    const sticky = medium === 'Memory' ? 0o1000 : 0;
    await chmod(dir, sticky | (gid === undefined ? 0o777 : 0o2777));
    await makeDirectory(context.metaDir);
    await writeFile(note, '');
  },
});

/** Of a volume in memory: the least of what is asked for, what the pod may use, and what the node has. */
export function memoryVolumeBytes(
  pod: Pod,
  volume: Volume,
  allocatableBytes: number | undefined,
): number | undefined {
  const sizeLimit = volume.emptyDir?.sizeLimit;
  const bounds = [
    sizeLimit === undefined ? 0 : quantityValue(sizeLimit),
    isLimited(pod, 'memory') ? (podLimits(pod).memory ?? 0) : 0,
    allocatableBytes ?? 0,
  ].filter((bytes) => bytes > 0);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}

/** Page size of the medium: named by it, or the only one that the pod's containers use. */
export function hugepageSize(pod: Pod, medium: string): number {
  if (medium !== 'HugePages') return hugepageBytes(`hugepages-${medium.slice('HugePages-'.length)}`);
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const used = containers.flatMap(({ resources }) =>
    Object.keys(resources?.requests ?? resources?.limits ?? {}),
  );
  const sizes = new Set(used.filter(isHugepages));
  if (sizes.size !== 1) {
    throw new Error(
      sizes.size === 0
        ? 'medium HugePages needs a container that requests huge pages'
        : 'medium HugePages can be used for one page size only: name it, as in HugePages-2Mi',
    );
  }
  return hugepageBytes([...sizes][0]!);
}

async function make(
  medium: string,
  { pod, allocatable }: VolumeContext,
  volume: Volume,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  if (medium === '') return makeDirectory(dir);
  if (medium === 'Memory') {
    const sizeBytes = memoryVolumeBytes(pod, volume, allocatable.memory);
    return ensureTmpfs(dir, sizeBytes, signal);
  }
  if (!medium.startsWith('HugePages')) throw new Error(`unknown storage medium "${medium}"`);
  await makeDirectory(dir);
  if ((await mountedAt(dir))?.fsType === 'hugetlbfs') return;
  await mountFilesystem('hugetlbfs', dir, [`pagesize=${hugepageSize(pod, medium)}`], signal);
}

/** A volume in memory is lost in a reboot, though its note is not. */
async function isThere(medium: string, dir: string): Promise<boolean> {
  if (!(await exists(dir))) return false;
  if (medium === '') return true;
  return medium === 'Memory' ? isTmpfs(dir) : (await mountedAt(dir)) !== undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
