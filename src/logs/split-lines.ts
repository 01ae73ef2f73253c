/** Cuts a stream of chunks into lines without their newlines; a line that grows beyond all bounds is cut too. */
export interface LineSplitter {
  /** The lines that end in this chunk. */
  push(chunk: Buffer): Buffer[];
  /** What has no newline yet, taken out. */
  rest(): Buffer;
}

const newline = 0x0a;

export function lineSplitter(maxLineBytes = 1024 * 1024): LineSplitter {
  let pieces: Buffer[] = [];
  let length = 0;

  function take(): Buffer {
    const line = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    pieces = [];
    length = 0;
    return line;
  }

  function keep(piece: Buffer): void {
    if (piece.length === 0) return;
    pieces.push(piece);
    length += piece.length;
  }

  return {
    push: (chunk) => {
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end));
        lines.push(take());
        start = end + 1;
      }
      keep(chunk.subarray(start));
      if (length >= maxLineBytes) lines.push(take());
      return lines;
    },
    rest: take,
  };
}
