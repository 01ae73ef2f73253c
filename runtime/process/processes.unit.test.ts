import { expect, test } from 'vitest';
import { readKernelFile } from './files.ts';
import { formatProcess, isAlive, parseProcess, parseStat } from './processes.ts';

test('a command name with blanks and brackets does not shift the fields', () => {
  const fields = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ');
  expect(parseStat(`77 (a) b (c)) S ${fields}`)).toEqual({ state: 'S', startTime: '22' });
});

test('a process is written and read back', () => {
  const process = { pid: 12, startTime: '3456' };
  expect(parseProcess(`${formatProcess(process)}\n`)).toEqual(process);
  expect(parseProcess('12')).toBeUndefined();
  expect(parseProcess(undefined)).toBeUndefined();
});

test('a pid with another start time is another process', () => {
  const own = parseStat(readKernelFile('/proc/self/stat'));
  expect(isAlive({ pid: process.pid, startTime: own?.startTime ?? '' })).toBe(true);
  expect(isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
});
