/** A path of the host itself, checked or made as its type asks. Never removed. */
import type { Stats } from 'node:fs';
import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { hasCode } from './safe-fs.ts';
import type { VolumePlugin } from './volume.ts';

export const hostPathPlugin = (): VolumePlugin => ({
  dirName: 'kubernetes.io~host-path',
  readOnly: false,
  managed: false,
  hostPath: (volume) => volume.hostPath?.path ?? '',
  async setUp(_context, volume) {
    const { path, type = '' } = volume.hostPath!;
    if (type === '') return;
    if (type === 'DirectoryOrCreate') await createDirectory(path);
    if (type === 'FileOrCreate') await createFile(path);
    const check = checks[type];
    if (check === undefined)
      throw new Error(`hostPath type check failed: "${type}" is not a type of hostPath`);
    if (!(await holds(path, check.is)))
      throw new Error(`hostPath type check failed: ${path} is not ${check.name}`);
  },
});

const directory = { name: 'a directory', is: (stats: Stats) => stats.isDirectory() };
const file = { name: 'a file', is: (stats: Stats) => stats.isFile() };

const checks: Readonly<Record<string, { name: string; is: (stats: Stats) => boolean }>> = {
  Directory: directory,
  DirectoryOrCreate: directory,
  File: file,
  FileOrCreate: file,
  Socket: { name: 'a socket file', is: (stats) => stats.isSocket() },
  CharDevice: { name: 'a character device', is: (stats) => stats.isCharacterDevice() },
  BlockDevice: { name: 'a block device', is: (stats) => stats.isBlockDevice() },
};

async function createDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first !== undefined) await chmod(path, 0o755);
}

/** Its directory must be there: a path with a typing error should not become a tree. */
async function createFile(path: string): Promise<void> {
  try {
    await using created = await open(path, 'wx', 0o644);
    await created.chmod(0o644);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

async function holds(path: string, is: (stats: Stats) => boolean): Promise<boolean> {
  try {
    return is(await stat(path));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
