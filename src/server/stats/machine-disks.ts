/** The file systems on the machine's block devices, each once, with the room on them. */
import { readFile } from 'node:fs/promises';
import type { FilesystemSpace } from './node-usage.ts';
import type { VolumeSpace } from './volume-space.ts';

export interface MachineDisk {
  /** `/dev/sda1` */
  device: string;
  space: FilesystemSpace;
}

/** One that does not answer is left out. */
export async function machineDisks(volumeSpace: VolumeSpace): Promise<MachineDisk[]> {
  const mounts = mountedDevices(await readFile('/proc/self/mounts', 'utf8'));
  const disks = await Promise.all(
    [...mounts].map(async ([device, path]): Promise<MachineDisk[]> => {
      const space = await volumeSpace(path).catch(() => undefined);
      return space === undefined ? [] : [{ device, space }];
    }),
  );
  return disks.flat();
}

/** Where each device is mounted first. @param mounts as proc(5) describes /proc/<pid>/mounts */
export function mountedDevices(mounts: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of mounts.split('\n')) {
    const [device = '', path = '', type = ''] = line.split(' ').map(unescaped);
    const isDisk = device.startsWith('/dev/') && diskTypes.test(type);
    if (isDisk && !found.has(device)) found.set(device, path);
  }
  return found;
}

/** What cAdvisor takes for a disk among what is on devices: a snap is full by nature, and alerts would tell so. */
const diskTypes = /^(ext|btrfs$|xfs$)/;

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
