/** Reads an uncompressed log file piece by piece, also while it grows. */
import type { FileHandle } from 'node:fs/promises';
import { lineSplitter } from './split-lines.ts';

export interface PlainFile {
  /** The complete lines from where the last call ended to where the file ends now, some at a time. */
  lines(signal: AbortSignal): AsyncGenerator<Buffer[]>;
  /** What comes after the last newline, when nobody will complete it any more. */
  rest(): Buffer[];
}

const chunkBytes = 64 * 1024;

export function plainFile(handle: FileHandle, offset = 0): PlainFile {
  let position = offset;
  let splitter = lineSplitter();
  return {
    lines: async function* (signal) {
      // Somebody emptied it (logrotate's copytruncate): what is there now is all new.
      if ((await handle.stat()).size < position) {
        position = 0;
        splitter = lineSplitter();
      }
      for (;;) {
        signal.throwIfAborted();
        const { buffer, bytesRead } = await handle.read(
          Buffer.allocUnsafe(chunkBytes),
          0,
          chunkBytes,
          position,
        );
        if (bytesRead === 0) return;
        position += bytesRead;
        const lines = splitter.push(buffer.subarray(0, bytesRead));
        if (lines.length > 0) yield lines;
      }
    },
    rest: () => {
      const rest = splitter.rest();
      return rest.length > 0 ? [rest] : [];
    },
  };
}
