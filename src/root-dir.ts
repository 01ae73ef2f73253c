/** Makes what must be there of an agent's root directory before anything is written to it. */
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from './error-message.ts';
import type { Paths } from './paths.ts';

/** A directory of the agent cannot be had. */
export class RootDirError extends Error {
  override readonly name = 'RootDirError';
  readonly path: string;
  constructor(path: string, why: string, options?: ErrorOptions) {
    super(`cannot keep files in ${path}: ${why}`, options);
    this.path = path;
  }
}

/** @throws RootDirError */
export async function prepareRootDir(paths: Paths): Promise<void> {
  await makeDirectory(paths.rootDir, 0o755);
  // Others than root have no business among pods' volumes and logs; the socket beside them is theirs to use.
  for (const path of [paths.podsDir, paths.logDir, paths.processDir, paths.storeDir]) {
    await makeDirectory(path, 0o700);
  }
  await makeDirectory(paths.podLogsDir, 0o755);
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    const isNew = (await mkdir(path, { recursive: true, mode })) !== undefined;
    // An agent that starts anew on a disk that has become read-only must still take care of its pods.
    if (!isNew && mode === 0o700 && ((await stat(path)).mode & 0o777) !== mode) await chmod(path, mode);
  } catch (cause) {
    throw new RootDirError(path, await explain(path, cause), { cause });
  }
}

async function explain(path: string, cause: unknown): Promise<string> {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return `${await notDirectory(path)} is not a directory; move it away, or give another --root-dir`;
    case 'EACCES':
    case 'EPERM':
      return 'permission denied; run as root, or give another --root-dir';
    case 'EROFS':
      return 'its file system is mounted read-only; mount it writable, or give another --root-dir';
    default:
      return messageOf(cause);
  }
}

/** The path, or the one above it that is in the way. */
async function notDirectory(path: string): Promise<string> {
  const there = await stat(path).catch(() => undefined);
  return there !== undefined || path === dirname(path) ? path : await notDirectory(dirname(path));
}
