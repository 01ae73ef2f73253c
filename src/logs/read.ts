/**
 * Reads the log of one container instance over its rotated files, as `kubectl logs` wants it. It yields what is to be
 * written and goes on when that was taken, so that a slow reader costs no memory.
 */
import { compressedLines, isCompressed, openIfThere } from './files.ts';
import { follow } from './follow.ts';
import { plainFile } from './plain-file.ts';
import { type Printer, printer } from './printer.ts';
import { findStart, type OlderFile } from './start.ts';

export interface LogOptions {
  /** Undefined: all that is kept. */
  tailLines?: number;
  /** Epoch; lines before it are left out. */
  sinceMs?: number;
  /** With the time of each line. */
  timestamps: boolean;
  /** Go on with what is written until this aborts and all is read. */
  followUntil?: AbortSignal;
}

/** A log that is not there is empty. */
export function readLog(path: string, o: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  return readLogAs(printer(o), path, o, signal);
}

/** The same in whatever shape the printer gives it. */
export async function* readLogAs<T>(
  out: Printer<T>,
  path: string,
  o: Omit<LogOptions, 'timestamps'>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const { older, current, offset } = await findStart(path, o, signal);
  try {
    for (const file of older) yield* readOlder(file, out, signal);
    if (current && !o.followUntil) {
      const file = plainFile(current, offset);
      for await (const lines of file.lines(signal)) yield out.print(lines);
      yield out.print(file.rest());
      yield out.pause();
    }
  } finally {
    if (!o.followUntil) await current?.close();
  }
  if (o.followUntil) yield* follow(path, current, offset, out, o.followUntil, signal);
}

/** Passes on at most `limitBytes`. */
export async function* limited(chunks: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Buffer> {
  let left = limitBytes;
  if (left === 0) return;
  for await (const chunk of chunks) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function* readOlder<T>(
  { path, offset, skipLines }: OlderFile,
  out: Printer<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  out.skip(skipLines);
  if (isCompressed(path)) {
    for await (const lines of compressedLines(path, signal)) yield out.print(lines);
    return;
  }
  const handle = await openIfThere(path);
  if (!handle) return;
  try {
    const file = plainFile(handle, offset);
    for await (const lines of file.lines(signal)) yield out.print(lines);
    yield out.print(file.rest());
  } finally {
    await handle.close();
  }
}
