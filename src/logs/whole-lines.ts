/** The lines of a log with their stream and time, pieces of long ones put together again, one stream beside the other. */
import { type LogRecord, parseCriLine } from './cri-line.ts';
import type { Printer } from './printer.ts';

export interface WholeLine {
  stream: LogRecord['stream'];
  /** Epoch; of the piece that ended it. */
  stampMs: number;
  text: string;
}

/** What is longer is cut: nobody reads it, and it would be held in memory. */
const maxLineBytes = 16 * 1024;

/** Lines without a time are left out. */
export function wholeLines(): Printer<WholeLine[]> {
  const pieces: Record<LogRecord['stream'], Buffer[]> = { stdout: [], stderr: [] };

  function add({ content, partial, stream, timestamp }: LogRecord): WholeLine[] {
    const open = pieces[stream];
    const held = open.reduce((sum, piece) => sum + piece.length, 0);
    if (held < maxLineBytes) open.push(content.subarray(0, maxLineBytes - held));
    if (partial) return [];
    const text = Buffer.concat(open.splice(0)).toString('utf8');
    const stampMs = Date.parse(timestamp);
    return Number.isNaN(stampMs) ? [] : [{ stream, stampMs, text }];
  }

  return {
    print: (lines) => lines.flatMap((line) => add(parseCriLine(line))),
    // An open line is told when it ends.
    pause: () => [],
    // Of a compressed file, of which nobody asks for a part this way.
    skip: () => undefined,
  };
}
