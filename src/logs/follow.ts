/** Follows a log while it grows, from file to file as it is rotated. */
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isCompressed, openIfThere, rotatedFiles } from './files.ts';
import { plainFile } from './plain-file.ts';
import type { Printer } from './printer.ts';
import { inodeOf } from './start.ts';
import { watchDirectory } from './watch-directory.ts';

/** Takes over `current` and closes it. Ends when `until` has aborted and all was read. */
export async function* follow<T>(
  path: string,
  current: FileHandle | undefined,
  offset: number,
  out: Printer<T>,
  until: AbortSignal,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const watch = watchDirectory(dirname(path));
  let handle = current;
  let file = handle && plainFile(handle, offset);
  try {
    for (;;) {
      // Asked before reading: what was written until then is read below.
      const isOver = until.aborted;
      const next = await nextFile(path, handle);
      if (file) for await (const lines of file.lines(signal)) yield out.print(lines);
      if (next) {
        if (file) yield out.print(file.rest());
        await handle?.close();
        handle = await openIfThere(next);
        file = handle && plainFile(handle);
        continue;
      }
      if (isOver && file) yield out.print(file.rest());
      yield out.pause();
      if (isOver) return;
      await watch.changed(AbortSignal.any([until, signal]));
      signal.throwIfAborted();
    }
  } finally {
    watch.close();
    await handle?.close();
  }
}

/** The file that was begun after this one; nothing is written to this one any more then. */
async function nextFile(path: string, handle: FileHandle | undefined): Promise<string | undefined> {
  const current = await inodeOf(path);
  const own = handle && (await handle.stat()).ino;
  // Renamed, but not yet opened anew by the runtime: it goes on writing to this one.
  if (current === undefined || current === own) return undefined;
  if (own === undefined) return path;
  const rotated = await rotatedFiles(path);
  for (const [index, file] of rotated.entries()) {
    if ((await inodeOf(file)) === own) return rotated[index + 1] ?? path;
  }
  // Compressed in the meantime, or removed: only what was rotated after it is not yet compressed.
  return rotated.find((file) => !isCompressed(file)) ?? path;
}
