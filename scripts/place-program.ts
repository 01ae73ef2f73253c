/** Puts a program where another may be, which may be a link to a file of somebody else's: that is replaced, never written. */
import { constants } from 'node:fs';
import { chmod, copyFile, rename, rm } from 'node:fs/promises';

export async function placeProgram(from: string, to: string): Promise<void> {
  const fresh = `${to}.new`;
  await rm(fresh, { force: true });
  await copyFile(from, fresh, constants.COPYFILE_EXCL);
  await chmod(fresh, 0o755);
  await rename(fresh, to);
}
