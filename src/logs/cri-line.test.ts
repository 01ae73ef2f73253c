import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCriLine } from './cri-line.ts';

const parse = (line: string) => {
  const { content, ...rest } = parseCriLine(Buffer.from(line));
  return { ...rest, content: content.toString() };
};

describe('parseCriLine', () => {
  const timestamp = '2026-01-02T03:04:05.123456789Z';
  const unformatted = { timestamp: '', stream: 'stdout', partial: false };

  it.each([
    [
      'a whole line',
      `${timestamp} stdout F hello`,
      { timestamp, stream: 'stdout', partial: false, content: 'hello' },
    ],
    ['a piece', `${timestamp} stderr P hel`, { timestamp, stream: 'stderr', partial: true, content: 'hel' }],
    [
      'more tags than one',
      `${timestamp} stdout P:x:y a b`,
      { timestamp, stream: 'stdout', partial: true, content: 'a b' },
    ],
    [
      'spaces in the content',
      `${timestamp} stdout F  a  b `,
      { timestamp, stream: 'stdout', partial: false, content: ' a  b ' },
    ],
    [
      'a time of conmon',
      '2026-01-02T03:04:05.123456789+00:00 stdout F hello',
      { timestamp, stream: 'stdout', partial: false, content: 'hello' },
    ],
    ['an empty line', `${timestamp} stdout F `, { timestamp, stream: 'stdout', partial: false, content: '' }],
    [
      'no space before nothing',
      `${timestamp} stdout F`,
      { timestamp, stream: 'stdout', partial: false, content: '' },
    ],
    [
      'a zone other than UTC',
      '2026-01-02T03:04:05+02:00 stdout F x',
      { timestamp: '2026-01-02T03:04:05+02:00', stream: 'stdout', partial: false, content: 'x' },
    ],
    [
      'a torn line',
      '05.123456789Z stdout F hello',
      { ...unformatted, content: '05.123456789Z stdout F hello' },
    ],
    ['an unknown stream', `${timestamp} stdin F x`, { ...unformatted, content: `${timestamp} stdin F x` }],
    ['an unknown tag', `${timestamp} stdout X x`, { ...unformatted, content: `${timestamp} stdout X x` }],
    ['nothing', '', { ...unformatted, content: '' }],
  ])('reads %s', (_name, line, record) => {
    expect(parse(line)).toEqual(record);
  });

  it('gives back whatever was written', () => {
    const bytes = fc.uint8Array().map((each) => Buffer.from(each).filter((byte) => byte !== 10));
    fc.assert(
      fc.property(bytes, fc.constantFrom('stdout', 'stderr'), fc.boolean(), (content, stream, partial) => {
        const line = Buffer.concat([Buffer.from(`${timestamp} ${stream} ${partial ? 'P' : 'F'} `), content]);
        const record = parseCriLine(line);
        expect({ ...record, content: Buffer.from(record.content) }).toEqual({
          timestamp,
          stream,
          partial,
          content: Buffer.from(content),
        });
      }),
    );
  });

  it('keeps every byte of a line that is in no format', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const record = parseCriLine(Buffer.from(bytes));
        expect(record.timestamp === '' ? Buffer.from(record.content) : undefined).toEqual(
          record.timestamp === '' ? Buffer.from(bytes) : undefined,
        );
      }),
    );
  });
});
