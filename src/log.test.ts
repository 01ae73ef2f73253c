import { describe, expect, test } from 'vitest';
import { formatLine } from './log.ts';

const line = (fields: object) =>
  JSON.stringify({ level: 'info', time: '2026-01-31T12:00:00.007Z', ...fields });

describe('a log line on a terminal', () => {
  test('has the time of day, the level, the message, then the fields', () => {
    const text = formatLine(
      line({ pod: 'default/web', exitCode: 3, args: ['a b'], why: 'out of "memory"', msg: 'it ended' }),
      false,
    );
    expect(text).toMatch(
      /^\d\d:\d\d:00\.007 INFO {2}it ended pod=default\/web exitCode=3 args=\["a b"\] why="out of \\"memory\\""\n$/,
    );
  });

  test('has the stack of an error below it, indented', () => {
    const text = formatLine(
      line({ level: 'error', msg: 'no', err: { message: 'm', stack: 'Error: m\n    at f' } }),
      false,
    );
    expect(text.split('\n').slice(1)).toEqual(['    Error: m', '        at f', '']);
  });

  test('is coloured only when asked to', () => {
    const json = line({ level: 'error', msg: 'no' });
    expect(formatLine(json, false)).not.toContain('\u001b');
    expect(formatLine(json, true)).toContain('\u001b[31mERROR\u001b[39m');
  });
});
