/** `/logs`: the machine's own log files, as the kubelet serves /var/log. Nothing outside of it is shown. */
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ApiError } from './errors.ts';
import { type Exchange, sendText } from './http.ts';

/** @param path below the directory; empty for the directory itself. @throws ApiError NotFound */
export async function sendSystemLog(
  { res, signal }: Exchange,
  directory: string,
  path: string,
): Promise<void> {
  const file = await opened(join(directory, path), path);
  try {
    // A link may lead elsewhere in the directory, never out of it: pods can make links in their logs.
    const root = await realpath(directory);
    const found = await readlink(`/proc/self/fd/${file.fd}`);
    if (found !== root && !found.startsWith(`${root}${sep}`)) throw notThere(path);
    const stats = await file.stat();
    if (stats.isDirectory()) sendText(res, 200, await listing(file), 'text/html; charset=utf-8');
    else if (stats.isFile()) await sendFile(res, file, signal);
    else throw notThere(path);
  } finally {
    await file.close();
  }
}

/** Without waiting for the writer of a named pipe. */
async function opened(path: string, shown: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw notThere(shown, cause);
  }
}

async function sendFile(res: Exchange['res'], file: FileHandle, signal: AbortSignal): Promise<void> {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
  for await (const chunk of file.createReadStream({ autoClose: false, signal })) {
    if (!res.write(chunk)) await once(res, 'drain', { signal });
  }
  res.end();
}

async function listing(directory: FileHandle): Promise<string> {
  const entries = await readdir(`/proc/self/fd/${directory.fd}`, { withFileTypes: true });
  const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
  const links = names.map((name) => `<a href="${escapeHtml(encodeURI(name))}">${escapeHtml(name)}</a>\n`);
  return `<!doctype html>\n<pre>\n${links.join('')}</pre>\n`;
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const notThere = (path: string, cause?: unknown): ApiError =>
  new ApiError('NotFound', `there is no log file "${path}"`, undefined, { cause });
