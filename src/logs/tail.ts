/** Finds where the last lines of a log begin, reading from its end no more than it must. */
import type { FileHandle } from 'node:fs/promises';
import { maxHeaderBytes, parseCriLine } from './cri-line.ts';

export interface TailStart {
  /** Where the first of the wanted lines begins, as far as the file has them. */
  offset: number;
  /** How many of the wanted lines end in the file. */
  lines: number;
  /** False: the first of them may begin in an older file. */
  complete: boolean;
}

const blockBytes = 64 * 1024;
const newline = 0x0a;

/**
 * A line begins after the record that ends the line before it (tag F): pieces are no lines of their own. Where
 * nothing follows (`atEnd`) the end of the file counts as the end of a line.
 */
export async function tailStart(
  file: FileHandle,
  size: number,
  wanted: number,
  atEnd: boolean,
): Promise<TailStart> {
  if (size === 0 || (atEnd && wanted === 0))
    return { offset: size, lines: 0, complete: atEnd && wanted === 0 };
  let ends = 0;
  /** Begin of the record after the one looked at. */
  let next = size;
  let isLast = true;
  for await (const { offset, head } of recordsBackwards(file, size)) {
    const endsLine = !parseCriLine(head).partial || (isLast && atEnd);
    if (endsLine && ends === wanted) return { offset: next, lines: wanted, complete: true };
    if (endsLine) ends += 1;
    isLast = false;
    next = offset;
  }
  return { offset: 0, lines: ends, complete: false };
}

/** Each record's begin, with as much of it as its header can be long, from the last to the first. */
async function* recordsBackwards(
  file: FileHandle,
  size: number,
): AsyncGenerator<{ offset: number; head: Buffer }> {
  let end = size;
  /** What follows the block in the file, as far as a header that begins in the block can need it. */
  let following = Buffer.alloc(0);
  /** Newlines end records; the file's own last one begins none. */
  let isFirstNewline = true;
  while (end > 0) {
    const start = Math.max(0, end - blockBytes);
    const block = Buffer.alloc(end - start);
    const { bytesRead } = await file.read(block, 0, block.length, start);
    const text = Buffer.concat([block.subarray(0, bytesRead), following]);
    for (let at = lastNewline(block, bytesRead - 1); at >= 0; at = lastNewline(block, at - 1)) {
      const offset = start + at + 1;
      if (!isFirstNewline || offset < size) yield { offset, head: headOf(text, at + 1) };
      isFirstNewline = false;
    }
    if (start === 0) yield { offset: 0, head: headOf(text, 0) };
    following = text.subarray(0, maxHeaderBytes);
    end = start;
  }
}

const lastNewline = (block: Buffer, from: number): number =>
  from < 0 ? -1 : block.lastIndexOf(newline, from);

function headOf(text: Buffer, start: number): Buffer {
  const end = text.indexOf(newline, start);
  const limit = start + maxHeaderBytes;
  return text.subarray(start, end < 0 ? limit : Math.min(end, limit));
}
