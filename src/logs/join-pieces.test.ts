import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from './cri-line.ts';
import { pieceJoiner } from './join-pieces.ts';

const record = (stream: LogRecord['stream'], text: string, partial = false): LogRecord => ({
  timestamp: '2026-01-01T00:00:00Z',
  stream,
  partial,
  content: Buffer.from(text),
});

const shown = (records: LogRecord[], timestamps = false): string => {
  const joiner = pieceJoiner(timestamps);
  return Buffer.concat([...records.flatMap((each) => joiner.push(each)), ...joiner.pause()]).toString();
};

describe('pieceJoiner', () => {
  it('joins the pieces of a line', () => {
    expect(shown([record('stdout', 'ab', true), record('stdout', 'cd', true), record('stdout', 'e')])).toBe(
      'abcde\n',
    );
  });

  it('gives a line one time, that of its first piece', () => {
    expect(shown([record('stdout', 'a', true), record('stdout', 'b')], true)).toBe(
      '2026-01-01T00:00:00Z ab\n',
    );
  });

  it('shows the other stream after the line that it came into', () => {
    const records = [
      record('stdout', 'a', true),
      record('stderr', 'oops'),
      record('stdout', 'b'),
      record('stdout', 'c'),
    ];
    expect(shown(records)).toBe('ab\noops\nc\n');
  });

  it('shows a prompt at once, and what the other stream says when nothing more comes', () => {
    const joiner = pieceJoiner(false);
    expect(Buffer.concat(joiner.push(record('stdout', 'name? ', true))).toString()).toBe('name? ');
    expect(joiner.push(record('stderr', 'warning'))).toEqual([]);
    expect(Buffer.concat(joiner.pause()).toString()).toBe('\nwarning\n');
  });

  it('does not hold back without bounds', () => {
    const joiner = pieceJoiner(false);
    joiner.push(record('stdout', 'open', true));
    const flood = Array.from({ length: 40 }, () => joiner.push(record('stderr', 'x'.repeat(16_384)))).flat();
    expect(Buffer.concat(flood).toString()).toContain(`\n${'x'.repeat(16_384)}\n`);
  });

  it('tears no line and loses none, however the pieces of both streams are mixed', () => {
    const piece = fc.record({
      stream: fc.constantFrom<LogRecord['stream'][]>('stdout', 'stderr'),
      text: fc.stringMatching(/^[a-z]{0,4}$/),
      partial: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const ends: LogRecord[] = [record('stdout', '!'), record('stderr', '!')];
        const records = [...pieces.map((each) => record(each.stream, each.text, each.partial)), ...ends];
        const linesOf = (stream: string): string[] =>
          records
            .filter((each) => each.stream === stream)
            .map((each) => each.content.toString() + (each.partial ? '' : '\n'))
            .join('')
            .split('\n');
        const lines = shown(records).split('\n').sort();
        expect(lines).toEqual([...linesOf('stdout').slice(0, -1), ...linesOf('stderr')].sort());
      }),
    );
  });
});
