/** Finds where to begin in the files of a log: no older file is opened than the wanted lines need. */
import type { FileHandle } from 'node:fs/promises';
import { parseCriLine } from './cri-line.ts';
import { compressedLines, isCompressed, openIfThere, rotatedFiles } from './files.ts';
import { tailStart } from './tail.ts';

export interface LogStart {
  /** To be read whole from where it says, oldest first. */
  older: OlderFile[];
  /** The file written to; undefined when there is no log. The caller closes it. */
  current: FileHandle | undefined;
  offset: number;
}

export interface OlderFile {
  path: string;
  offset: number;
  /** Lines to leave out: there is no offset in a compressed file. */
  skipLines: number;
}

export async function findStart(
  path: string,
  { tailLines, sinceMs }: { tailLines?: number; sinceMs?: number },
  signal: AbortSignal,
): Promise<LogStart> {
  const { older, current } = await openFiles(path);
  try {
    if (tailLines !== undefined) return { current, ...(await tailOf(older, current, tailLines, signal)) };
    const whole = older.map((file): OlderFile => ({ path: file, offset: 0, skipLines: 0 }));
    if (sinceMs === undefined) return { current, older: whole, offset: 0 };
    const first = await firstNeeded(older, current, sinceMs, signal);
    return { current, older: whole.slice(first), offset: 0 };
  } catch (error) {
    await current?.close();
    throw error;
  }
}

/**
 * The file written to is opened before the others are listed: if it is rotated in between, it is known by its inode
 * and none is missed. Between renaming and opening anew it is the one that was rotated last.
 */
async function openFiles(path: string): Promise<{ older: string[]; current: FileHandle | undefined }> {
  let current = await openIfThere(path);
  const older = await rotatedFiles(path);
  const newest = older.at(-1);
  if (!current && newest && !isCompressed(newest)) current = await openIfThere(newest);
  if (!current) return { older, current };
  const { ino } = await current.stat();
  for (const [index, file] of older.entries()) {
    if ((await inodeOf(file)) === ino) return { older: older.slice(0, index), current };
  }
  return { older, current };
}

export async function inodeOf(path: string): Promise<number | undefined> {
  const file = await openIfThere(path);
  try {
    return (await file?.stat())?.ino;
  } finally {
    await file?.close();
  }
}

async function tailOf(
  older: string[],
  current: FileHandle | undefined,
  wanted: number,
  signal: AbortSignal,
): Promise<{ older: OlderFile[]; offset: number }> {
  const size = (await current?.stat())?.size ?? 0;
  const start = current
    ? await tailStart(current, size, wanted, true)
    : { offset: 0, lines: 0, complete: wanted === 0 };
  const needed: OlderFile[] = [];
  let left = wanted - start.lines;
  let atEnd = size === 0;
  for (let index = older.length - 1, { complete } = start; index >= 0 && !complete; index -= 1) {
    const part = await tailOfOlder(older[index]!, left, atEnd, signal);
    if (!part) continue;
    atEnd &&= part.isEmpty;
    needed.unshift(part.file);
    left -= part.lines;
    complete = part.complete;
  }
  return { older: needed, offset: start.offset };
}

interface OlderTail {
  file: OlderFile;
  lines: number;
  complete: boolean;
  isEmpty: boolean;
}

async function tailOfOlder(
  path: string,
  wanted: number,
  atEnd: boolean,
  signal: AbortSignal,
): Promise<OlderTail | undefined> {
  if (isCompressed(path)) {
    const { ends, isOpen, isEmpty } = await countLines(path, signal);
    const count = ends + (isOpen && atEnd ? 1 : 0);
    const lines = Math.min(count, wanted);
    return { file: { path, offset: 0, skipLines: count - lines }, lines, complete: count > wanted, isEmpty };
  }
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    const { offset, lines, complete } = await tailStart(file, size, wanted, atEnd);
    return { file: { path, offset, skipLines: 0 }, lines, complete, isEmpty: size === 0 };
  } finally {
    await file.close();
  }
}

/** How many lines end in the file, and whether one is open at its end. */
async function countLines(
  path: string,
  signal: AbortSignal,
): Promise<{ ends: number; isOpen: boolean; isEmpty: boolean }> {
  const count = { ends: 0, isOpen: false, isEmpty: true };
  for await (const lines of compressedLines(path, signal)) {
    for (const line of lines) {
      count.isEmpty = false;
      count.isOpen = parseCriLine(line).partial;
      if (!count.isOpen) count.ends += 1;
    }
  }
  return count;
}

/** Index of the oldest of the older files that holds something after the time. */
async function firstNeeded(
  older: string[],
  current: FileHandle | undefined,
  sinceMs: number,
  signal: AbortSignal,
): Promise<number> {
  let beginsAtMs = current ? await firstTimeOf(current) : Number.POSITIVE_INFINITY;
  for (let index = older.length - 1; index >= 0; index -= 1) {
    if (beginsAtMs < sinceMs) return index + 1;
    beginsAtMs = await firstTimeOfFile(older[index]!, signal);
  }
  return 0;
}

async function firstTimeOfFile(path: string, signal: AbortSignal): Promise<number> {
  if (isCompressed(path)) {
    for await (const [line] of compressedLines(path, signal)) if (line) return timeOf(line);
    return Number.POSITIVE_INFINITY;
  }
  const file = await openIfThere(path);
  try {
    return file ? await firstTimeOf(file) : Number.POSITIVE_INFINITY;
  } finally {
    await file?.close();
  }
}

async function firstTimeOf(file: FileHandle): Promise<number> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
  return timeOf(buffer.subarray(0, bytesRead));
}

/** Infinite when it has none: then older lines may be wanted. */
function timeOf(line: Buffer): number {
  const ms = Date.parse(parseCriLine(line).timestamp);
  return Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms;
}
