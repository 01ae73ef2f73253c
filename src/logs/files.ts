/** The files of one container instance's log: those that were rotated, oldest first, and the one written to. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { lineSplitter } from './split-lines.ts';

const rotatedSuffix = /^\d{8}-\d{6}(\.gz)?$/;

/** Rotated files of the log, oldest first; `<log>.<time>` and, compressed, `<log>.<time>.gz`. */
export async function rotatedFiles(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  const present = new Set(names);
  return (
    names
      .filter((name) => name.startsWith(prefix) && rotatedSuffix.test(name.slice(prefix.length)))
      // Both are there for a moment while one is compressed.
      .filter((name) => name.endsWith('.gz') || !present.has(`${name}.gz`))
      .sort()
      .map((name) => join(dirname(path), name))
  );
}

export const isCompressed = (path: string): boolean => path.endsWith('.gz');

/** Undefined when there is no such file (any more). */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The lines of a compressed file. */
export async function* compressedLines(path: string, signal: AbortSignal): AsyncGenerator<Buffer[]> {
  const file = createReadStream(path, { signal });
  const text: Readable = file.pipe(createGunzip());
  file.on('error', (err) => text.destroy(err));
  const splitter = lineSplitter();
  try {
    for await (const chunk of text) yield splitter.push(chunk as Buffer);
    const rest = splitter.rest();
    if (rest.length > 0) yield [rest];
  } finally {
    file.destroy();
    text.destroy();
  }
}
