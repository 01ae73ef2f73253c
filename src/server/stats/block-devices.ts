/** The block devices of the machine: what was read and written since it was started, and their names. */
import { readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { BlockDeviceUsage } from '../../resources/cgroup-details.ts';

/** Whole devices that were ever used; partitions are counted in them. */
export async function machineDevices(): Promise<BlockDeviceUsage[]> {
  const [diskstats, whole] = await Promise.all([
    readFile('/proc/diskstats', 'utf8').catch(() => ''),
    readdir('/sys/block').catch((): string[] => []),
  ]);
  return usedDevices(diskstats, new Set(whole));
}

/** @param diskstats as the kernel's iostats.rst describes it: sectors of 512 bytes */
export function usedDevices(diskstats: string, whole: ReadonlySet<string>): BlockDeviceUsage[] {
  return diskstats.split('\n').flatMap((line) => {
    const [major, minor, name = '', reads, , sectorsRead, , writes, , sectorsWritten] = line
      .trim()
      .split(/\s+/);
    if (!whole.has(name) || (reads === '0' && writes === '0')) return [];
    return [
      {
        major: Number(major),
        minor: Number(minor),
        readBytes: Number(sectorsRead) * 512,
        writtenBytes: Number(sectorsWritten) * 512,
        reads: Number(reads),
        writes: Number(writes),
      },
    ];
  });
}

export function deviceName({ major, minor }: Pick<BlockDeviceUsage, 'major' | 'minor'>): string {
  try {
    return `/dev/${basename(readlinkSync(`/sys/dev/block/${major}:${minor}`))}`;
  } catch {
    // It was unplugged.
    return `${major}:${minor}`;
  }
}
