/**
 * The CRI log format: `<RFC 3339 time> <stdout|stderr> <tags> <content>`, one record a line. The first tag is `F` for a
 * record that ends its line and `P` for a piece of a longer one.
 */
export interface LogRecord {
  /** As it was written, but UTC always as `Z`; '' for a line that is not in the format. */
  timestamp: string;
  stream: 'stdout' | 'stderr';
  /** The line goes on in the stream's next record. */
  partial: boolean;
  /** Without the newline. */
  content: Buffer;
}

const space = 0x20;

/**
 * A line, without its newline, as a record. What is not in the format (torn by a power cut) is shown as it is: a
 * line of a log is never dropped.
 */
export function parseCriLine(line: Buffer): LogRecord {
  const timestampEnd = line.indexOf(space);
  const streamEnd = line.indexOf(space, timestampEnd + 1);
  const tagsEnd = endOfTags(line, streamEnd);
  if (timestampEnd <= 0 || streamEnd < 0) return unformatted(line);
  const timestamp = line.toString('latin1', 0, timestampEnd);
  const stream = line.toString('latin1', timestampEnd + 1, streamEnd);
  const [tag] = line.toString('latin1', streamEnd + 1, tagsEnd).split(':');
  const isKnown = (stream === 'stdout' || stream === 'stderr') && (tag === 'F' || tag === 'P');
  if (!isKnown || Number.isNaN(Date.parse(timestamp))) return unformatted(line);
  // conmon writes the offset, which kubectl's users do not know from other nodes.
  const shown = timestamp.replace(/[+-]00:00$/, 'Z');
  return { timestamp: shown, stream, partial: tag === 'P', content: line.subarray(tagsEnd + 1) };
}

/** Longer than time, stream and tags can be together. */
export const maxHeaderBytes = 128;

/** The content may be empty, then the space before it may be missing too. */
function endOfTags(line: Buffer, streamEnd: number): number {
  const end = line.indexOf(space, streamEnd + 1);
  return end < 0 ? line.length : end;
}

const unformatted = (line: Buffer): LogRecord => ({
  timestamp: '',
  stream: 'stdout',
  partial: false,
  content: line,
});
