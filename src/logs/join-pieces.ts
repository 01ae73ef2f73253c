/**
 * Puts the pieces of long lines together again. Pieces go out as they come, so that a prompt is seen while the
 * program waits; what the other stream writes meanwhile is held back until the line ends, so that no line is torn,
 * but not longer than there is something to read.
 */
import type { LogRecord } from './cri-line.ts';

export interface PieceJoiner {
  /** What can be shown now. */
  push(record: LogRecord): Buffer[];
  /** Nothing more is there at the moment: what was held back is shown, on a line of its own. */
  pause(): Buffer[];
}

const newline = Buffer.from('\n');
const maxHeldBytes = 256 * 1024;

export function pieceJoiner(timestamps: boolean): PieceJoiner {
  /** Whose line is open at the end of what was shown. */
  let open: LogRecord['stream'] | undefined;
  let held: LogRecord[] = [];
  let heldBytes = 0;

  function show(record: LogRecord, out: Buffer[]): void {
    if (timestamps && open === undefined && record.timestamp !== '')
      out.push(Buffer.from(`${record.timestamp} `));
    out.push(record.content);
    if (!record.partial) out.push(newline);
    open = record.partial ? record.stream : undefined;
  }

  function add(record: LogRecord, out: Buffer[]): void {
    if (open === undefined || record.stream === open) {
      show(record, out);
      if (open === undefined) release(out);
      return;
    }
    held.push(record);
    heldBytes += record.content.length;
    if (heldBytes > maxHeldBytes) breakLine(out);
  }

  function release(out: Buffer[]): void {
    const waiting = held;
    held = [];
    heldBytes = 0;
    for (const record of waiting) add(record, out);
  }

  function breakLine(out: Buffer[]): void {
    out.push(newline);
    open = undefined;
    release(out);
  }

  return {
    push: (record) => {
      const out: Buffer[] = [];
      add(record, out);
      return out;
    },
    pause: () => {
      const out: Buffer[] = [];
      while (held.length > 0) breakLine(out);
      return out;
    },
  };
}
