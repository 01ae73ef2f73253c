/**
 * One agent a root directory. The lock is flock(2) on a file, which the kernel gives back however the process ends,
 * so there is no stale lock to tell from a live one. Node cannot call flock: util-linux's `flock` does, on a
 * descriptor that it inherits from us. The lock belongs to the open file, which both share, and stays with ours after
 * `flock` has exited. Node opens files close-on-exec, so no container inherits it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../error-message.ts';

export interface Lock {
  release(): Promise<void>;
}

/** The lock is held by another process, or cannot be taken at all. */
export class LockError extends Error {
  override readonly name = 'LockError';
  readonly path: string;
  /** Undefined when it is not known. */
  readonly holderPid: number | undefined;
  constructor(path: string, message: string, holderPid?: number, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.holderPid = holderPid;
  }
}

/** @throws LockError within about a second when another process holds the lock. */
export async function acquireLock(path: string): Promise<Lock> {
  for (;;) {
    const file = await openLockFile(path);
    try {
      await flock(file, path, () => heldFile(path));
      if (await isStillAt(file, path)) {
        await sayWhoHoldsIt(file);
        return { release: () => file.close() };
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    // Another agent's root directory was removed while we opened its lock file: take the new file's lock.
    await file.close();
  }
}

/**
 * On a directory that stays as it is.
 * @param message what to say of a holder
 * @throws LockError
 */
export async function lockDirectory(path: string, message: (holder: string) => string): Promise<Lock> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await flock(directory, path, async () => {
      const pid = await whoHasOpen(path);
      const holder = pid === undefined ? `see it with 'fuser -v ${path}'` : `process ${pid}`;
      return new LockError(path, message(holder), pid);
    });
    return { release: () => directory.close() };
  } catch (error) {
    await directory.close();
    throw error;
  }
}

async function openLockFile(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    return await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  } catch (error) {
    // An agent that starts anew on a disk that has become read-only must still take care of its pods.
    if ((error as NodeJS.ErrnoException).code === 'EROFS') return await open(path, constants.O_RDONLY);
    const why = messageOf(error);
    const advice = 'move it away, or give another --root-dir';
    throw new LockError(path, `cannot open the lock ${path}: ${why}; ${advice}`, undefined, { cause: error });
  }
}

/** For the message of whoever comes next. On a full or read-only disk it has to do without. */
async function sayWhoHoldsIt(file: FileHandle): Promise<void> {
  // Of one length, so that nothing has to be cut or allocated where a lock file is already.
  await file.write(`${String(process.pid).padEnd(10)}\n`, 0).catch(() => undefined);
}

/** Waits a moment: a killed agent's descriptors are closed shortly after it is gone. */
const flockWaitSeconds = 1;
const flockConflictExitCode = 75;

async function flock(file: FileHandle, path: string, held: () => Promise<LockError>): Promise<void> {
  const args = ['--exclusive', '--wait', `${flockWaitSeconds}`, '-E', `${flockConflictExitCode}`, '3'];
  const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'pipe', file.fd] });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  let exitCode: number | null;
  try {
    [exitCode] = (await once(child, 'close')) as [number | null];
  } catch (cause) {
    throw new LockError(path, `cannot run 'flock' to lock ${path}: install util-linux`, undefined, { cause });
  }
  if (exitCode === flockConflictExitCode) throw await held();
  if (exitCode !== 0) throw new LockError(path, `cannot lock ${path}: flock said '${stderr.trim()}'`);
}

async function isStillAt(file: FileHandle, path: string): Promise<boolean> {
  const ours = await file.stat();
  const there = await stat(path).catch(() => undefined);
  return there?.ino === ours.ino && there.dev === ours.dev;
}

async function heldFile(path: string): Promise<LockError> {
  const pid = Number.parseInt(await readFile(path, 'utf8'), 10);
  const known = pid > 0 && existsSync(`/proc/${pid}`) ? pid : undefined;
  const holder = known ? `process ${known}` : 'another process';
  const look = known ? `ps -fp ${known}` : 'lslocks';
  return new LockError(
    path,
    `another roslet agent (${holder}) runs on this root directory: it holds ${path}. See it with '${look}', stop it, or give this one another --root-dir`,
    known,
  );
}

/** Nothing can be written into a directory of the kernel's: whoever has it open holds it. */
async function whoHasOpen(path: string): Promise<number | undefined> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  for (const pid of pids) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const fd of fds) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
      if (target === path) return pid;
    }
  }
  return undefined;
}
