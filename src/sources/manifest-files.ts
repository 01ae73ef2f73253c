/** Which files of the manifest path are manifests, and what they hold now. A path may be a directory or one file. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../error-message.ts';

export interface ManifestFile {
  path: string;
  content: { text: string } | { error: string };
  /** It was written so recently that the writer may not be done. */
  isSettling: boolean;
}

export interface IgnoredFile {
  path: string;
  reason: string;
}

export type Listing =
  | { state: 'present'; files: ManifestFile[]; ignored: IgnoredFile[] }
  | { state: 'missing' }
  | { state: 'unreadable'; message: string };

/** Files come in the order of their names. */
export async function listManifests(path: string, settleMs: number): Promise<Listing> {
  try {
    if (!(await stat(path)).isDirectory()) {
      const file = await readManifest(path, settleMs);
      return {
        state: 'present',
        files: 'reason' in file ? [] : [file],
        ignored: 'reason' in file ? [file] : [],
      };
    }
    const files: ManifestFile[] = [];
    const ignored: IgnoredFile[] = [];
    for (const name of (await readdir(path)).sort()) {
      const reason = ignoredName(name);
      const file = join(path, name);
      const read = reason === undefined ? await readManifest(file, settleMs) : { path: file, reason };
      if ('reason' in read) ignored.push(read);
      else files.push(read);
    }
    return { state: 'present', files, ignored };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing' };
    return { state: 'unreadable', message: messageOf(error) };
  }
}

/** Why a file of this name is not read; undefined when it is. */
export function ignoredName(name: string): string | undefined {
  if (name.startsWith('.')) return 'hidden file';
  if (/~$|\.(bak|backup|orig|rej|old|save|dpkg-\w+)$|^#.*#$/i.test(name)) return 'backup file';
  if (/\.(sw[a-z]|tmp|part)$|^4913$|___jb_(tmp|old)___$/i.test(name)) return 'temporary file of an editor';
  return /\.(ya?ml|json)$/i.test(name) ? undefined : 'not a .yaml, .yml or .json file';
}

/** The decoder's limit with room for its own message; what is larger is not even read. */
const MAX_FILE_BYTES = 4 * 2 ** 20;

async function readManifest(path: string, settleMs: number): Promise<ManifestFile | IgnoredFile> {
  let isSettling = false;
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) return { path, reason: 'directory (manifests are not looked for inside it)' };
    if (!stats.isFile()) return { path, reason: 'not a regular file' };
    isSettling = Math.abs(Date.now() - stats.mtimeMs) < settleMs;
    if (stats.size > MAX_FILE_BYTES) {
      return { path, isSettling, content: { error: `is too large for a manifest: ${stats.size} bytes` } };
    }
    return { path, isSettling, content: textOf(await readFile(path)) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { path, reason: 'gone, or a link to nowhere' };
    return { path, isSettling, content: { error: `cannot be read: ${messageOf(error)}` } };
  }
}

/** Bytes that are no UTF-8 would otherwise reach a config map as question marks. */
function textOf(bytes: Buffer): ManifestFile['content'] {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { error: 'is not UTF-8 text' };
  }
}
