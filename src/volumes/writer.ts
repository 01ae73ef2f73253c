/**
 * Shows a set of files in a directory so that a reader sees all of one version or all of another, in the layout that
 * programs know from the kubelet:
 *
 *     ..2026_11_22_10_00_00.a1B2c3/   one generation: the real files
 *     ..data -> ..2026_11_22_…        renamed into place: the one step that counts
 *     name -> ..data/name             for each file or directory at the top
 *
 * Nothing is synced: after a power cut the files are compared with what they should be and written anew.
 */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { hasCode, removeTree } from './safe-fs.ts';

export interface PayloadFile {
  data: Buffer;
  mode: number;
  /** Who it is for; undefined: root. */
  uid?: number;
}

/** By path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

/**
 * Makes the directory show the payload and nothing else. Calls for one directory must not overlap.
 * @param gid fsGroup: the files' group, which may then read them.
 * @returns whether the content changed.
 * @throws PayloadError for paths that cannot be.
 */
export async function writePayload(
  dir: string,
  payload: Payload,
  gid: number | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const files = checkedPayload(payload, gid);
  await setOwnership(dir, 0o755, gid);
  const current = await currentGeneration(dir);
  const changed = current === undefined || !(await isEqual(join(dir, current), files, gid));
  const generation = changed ? await writeGeneration(dir, files, gid, signal) : current;
  const visible = new Set([...files.keys()].map((path) => path.split('/')[0]!));
  await linkVisible(dir, visible);
  await prune(dir, new Set([...visible, dataLink, generation]), signal);
  return changed;
}

/** Whether the directory shows a whole payload. */
export async function isRendered(dir: string): Promise<boolean> {
  try {
    return (await stat(join(dir, dataLink))).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

const dataLink = '..data';
const maxName = 255;
const maxPath = 4096;

function checkedPayload(payload: Payload, gid: number | undefined): Map<string, PayloadFile> {
  const files = new Map<string, PayloadFile>();
  for (const [path, file] of payload) {
    files.set(checkedPath(path), { ...file, mode: gid === undefined ? file.mode : file.mode | 0o440 });
  }
  for (const path of files.keys()) {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      if (files.has(parent)) {
        throw new PayloadError(`invalid path: ${parent} is both a file and the directory of ${path}`);
      }
    }
  }
  return files;
}

function checkedPath(path: string): string {
  if (path === '') throw new PayloadError('invalid path: must not be empty: ""');
  if (path.startsWith('/')) throw new PayloadError(`invalid path: must be relative path: ${path}`);
  if (path.includes('\0')) throw new PayloadError('invalid path: must not contain a NUL character');
  if (Buffer.byteLength(path) > maxPath) {
    throw new PayloadError(`invalid path: must be less than or equal to ${maxPath} characters`);
  }
  const segments = path.split('/');
  if (segments.includes('..')) throw new PayloadError(`invalid path: must not contain '..': ${path}`);
  if (segments.some((segment) => Buffer.byteLength(segment) > maxName)) {
    throw new PayloadError(`invalid path: filenames must be less than or equal to ${maxName} characters`);
  }
  const clean = normalize(path).replace(/\/$/, '');
  if (clean.startsWith('..')) throw new PayloadError(`invalid path: must not start with '..': ${path}`);
  if (clean === '.') throw new PayloadError(`invalid path: names no file: ${path}`);
  return clean;
}

async function currentGeneration(dir: string): Promise<string | undefined> {
  try {
    return basename(await readlink(join(dir, dataLink)));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  }
}

/** Whether the generation holds these files, with their modes and owners, and no others. */
async function isEqual(
  generation: string,
  files: ReadonlyMap<string, PayloadFile>,
  gid: number | undefined,
): Promise<boolean> {
  try {
    const entries = await readdir(generation, { recursive: true, withFileTypes: true });
    const there = entries.filter((entry) => !entry.isDirectory()).length;
    if (there !== files.size) return false;
    for (const [path, { data, mode, uid = 0 }] of files) {
      const stat = await lstat(join(generation, path));
      if (!stat.isFile() || (stat.mode & 0o7777) !== mode || stat.uid !== uid) return false;
      if (gid !== undefined && stat.gid !== gid) return false;
      if (stat.size !== data.length || !data.equals(await readFile(join(generation, path)))) return false;
    }
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Returns the name of the generation, which `..data` then refers to. */
async function writeGeneration(
  dir: string,
  files: ReadonlyMap<string, PayloadFile>,
  gid: number | undefined,
  signal: AbortSignal,
): Promise<string> {
  const generation = await mkdtemp(join(dir, `..${timestamp()}.`));
  try {
    await setOwnership(generation, 0o755, gid);
    for (const [path, { data, mode, uid = 0 }] of files) {
      signal.throwIfAborted();
      await makeParents(generation, path, gid);
      const file = join(generation, path);
      await writeFile(file, data, { flag: 'wx', mode });
      if (gid !== undefined || uid !== 0) await chown(file, uid, gid ?? -1);
      // The mode given at creation is cut by the umask.
      await chmod(file, mode);
    }
    const next = join(dir, `..data_${randomBytes(6).toString('hex')}`);
    await symlink(basename(generation), next);
    await rename(next, join(dir, dataLink));
    return basename(generation);
  } catch (error) {
    // Also when it was our own abort that ended the writing.
    await removeTree(generation, new AbortController().signal);
    throw error;
  }
}

async function makeParents(generation: string, path: string, gid: number | undefined): Promise<void> {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) parents.unshift(parent);
  for (const parent of parents) {
    try {
      await mkdir(join(generation, parent));
    } catch (error) {
      if (hasCode(error, 'EEXIST')) continue;
      throw error;
    }
    await setOwnership(join(generation, parent), 0o755, gid);
  }
}

/** After the switch, so that no link ever leads nowhere. */
async function linkVisible(dir: string, visible: ReadonlySet<string>): Promise<void> {
  for (const name of visible) {
    const target = join(dataLink, name);
    const path = join(dir, name);
    try {
      if ((await readlink(path)) === target) continue;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    await symlink(target, path);
  }
}

/** Links to files that are no more, earlier generations, and what a killed agent left. */
async function prune(dir: string, keep: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!keep.has(name)) await removeTree(join(dir, name), signal);
  }
}

async function setOwnership(dir: string, mode: number, gid: number | undefined): Promise<void> {
  if (gid !== undefined) await chown(dir, -1, gid);
  await chmod(dir, gid === undefined ? mode : mode | setGid);
}

const setGid = 0o2000;

const timestamp = (): string => new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_');
