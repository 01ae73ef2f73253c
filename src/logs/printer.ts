/** What of a log's lines is shown, and how. */
import { parseCriLine } from './cri-line.ts';
import { pieceJoiner } from './join-pieces.ts';

export interface Printer<T = Buffer> {
  /** What to show for these lines; may be empty. `skip` lines more are left out first. */
  print(lines: readonly Buffer[]): T;
  /** Nothing more is there for now: what was held back for the sake of whole lines. */
  pause(): T;
  skip(lines: number): void;
}

export function printer({ sinceMs, timestamps }: { sinceMs?: number; timestamps: boolean }): Printer {
  const joiner = pieceJoiner(timestamps);
  let toSkip = 0;
  return {
    print: (lines) => {
      const out: Buffer[] = [];
      for (const line of lines) {
        const record = parseCriLine(line);
        if (toSkip > 0) {
          if (!record.partial) toSkip -= 1;
        } else if (sinceMs === undefined || !(Date.parse(record.timestamp) < sinceMs)) {
          out.push(...joiner.push(record));
        }
      }
      return Buffer.concat(out);
    },
    pause: () => Buffer.concat(joiner.pause()),
    skip: (lines) => {
      toSkip = lines;
    },
  };
}
