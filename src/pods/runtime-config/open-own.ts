/** Opens a file in a directory of a pod, which is made where it is missing: most often it is there, and a look costs as much. */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../../volumes/safe-fs.ts';

export async function openOwn(path: string, flags: string | number, mode?: number): Promise<FileHandle> {
  try {
    return await open(path, flags, mode);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    return open(path, flags, mode);
  }
}
