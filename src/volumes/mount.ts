/**
 * Mounting (Node has no such call): what is in memory by an addon of ours, all else by the system's own mount and umount. And
 * what is mounted now, from /proc/self/mountinfo (proc_pid_mountinfo(5)).
 */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MissingAddonError, mountInMemory, SystemCallError, unmountInMemory } from './native.ts';
import { runProgram } from './program.ts';
import { hasCode } from './safe-fs.ts';

export interface MountPoint {
  id: number;
  path: string;
  fsType: string;
  /** Device, and the directory of its file system that is seen: the same for mounts of the same. */
  source: string;
}

export class MountError extends Error {
  override readonly name = 'MountError';
  readonly target: string;
  constructor(target: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.target = target;
  }
}

/** In the order of mounting: a later one at the same path hides an earlier one. */
export async function mountPoints(): Promise<MountPoint[]> {
  return parseMountInfo(await mountTable());
}

const mountTable = (): Promise<string> => readFile('/proc/self/mountinfo', 'utf8');

export function parseMountInfo(text: string): MountPoint[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const separator = fields.indexOf('-', 6);
      return {
        id: Number(fields[0]),
        path: unescapeOctal(fields[4] ?? ''),
        source: `${fields[2]} ${fields[3]}`,
        fsType: fields[separator + 1] ?? '',
      };
    });
}

/** The file system that is seen at the path when it is a mount point. */
export async function mountedAt(path: string): Promise<MountPoint | undefined> {
  const real = await realPath(path);
  return (await mountPoints()).findLast((mount) => mount.path === real);
}

/** Whether what is seen at the mount point `path` is seen elsewhere below `dir`, too. */
export async function isSharedBelow(dir: string, path: string): Promise<boolean> {
  const [root, real] = await Promise.all([realPath(dir), realPath(path)]);
  const mounts = await mountPoints();
  const source = mounts.findLast((mount) => mount.path === real)?.source;
  return mounts.some(
    (mount) => mount.source === source && mount.path !== real && mount.path.startsWith(`${root}/`),
  );
}

/** Unmounts what is mounted at the directory and below it, the innermost first. */
export async function unmountBelow(dir: string, signal: AbortSignal): Promise<void> {
  const real = await realPath(dir);
  const innermost = async (): Promise<MountPoint | undefined> => {
    const table = await mountTable();
    // Most often there is none among the many of all containers.
    if (!table.includes(` ${escapeOctal(real)}`)) return undefined;
    return parseMountInfo(table).findLast(({ path }) => path === real || path.startsWith(`${real}/`));
  };
  for (let mount = await innermost(); mount !== undefined; mount = await innermost()) {
    try {
      if (mount.fsType === 'tmpfs') await asMountError(mount.path, unmountTmpfs(mount.path, signal));
      else await unmount(mount.path, signal);
    } catch (error) {
      if ((await innermost())?.id === mount.id) throw error;
    }
  }
}

export async function mountFilesystem(
  fsType: 'tmpfs' | 'hugetlbfs',
  target: string,
  options: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  await asMountError(target, mountInMemory(fsType, target, options.join(',')));
}

/**
 * Binds what an open file descriptor of ours refers to, whatever has become of its path since.
 * @param target an existing file or directory of ours.
 */
export async function bindDescriptor(fd: number, target: string, signal: AbortSignal): Promise<void> {
  // Without --no-canonicalize mount would resolve the link to a path, and use that.
  await run('/bin/mount', ['--no-canonicalize', '--bind', '/proc/self/fd/3', target], target, signal, fd);
}

/** Takes the uppermost mount off the path, which is in memory, from under those who still use it if need be. */
async function unmountTmpfs(target: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await unmountInMemory(target, false);
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error;
    await unmountInMemory(target, true);
  }
}

/** Takes the uppermost mount off the path, from under those who still use it if need be. */
export async function unmount(target: string, signal: AbortSignal): Promise<void> {
  try {
    await run('/bin/umount', ['--no-canonicalize', target], target, signal);
  } catch (error) {
    if (!(error instanceof MountError) || !/busy/.test(error.message)) throw error;
    // The pod is gone: who still looks into its volume must not keep it on the node.
    await run('/bin/umount', ['--no-canonicalize', '--lazy', target], target, signal);
  }
}

async function asMountError(target: string, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof SystemCallError || error instanceof MissingAddonError)) throw error;
    throw new MountError(target, error.message, { cause: error });
  }
}

async function run(
  program: string,
  args: readonly string[],
  target: string,
  signal: AbortSignal,
  inheritedFd?: number,
): Promise<void> {
  const { failure } = await runProgram(program, args, signal, inheritedFd);
  if (failure !== '') throw new MountError(target, failure);
}

/** As the mount table names it: the agent's root directory may be behind a link. The last part never is. */
async function realPath(path: string): Promise<string> {
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return path;
    throw error;
  }
}

/** As the kernel writes paths there. */
const escapeOctal = (path: string): string =>
  path.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
