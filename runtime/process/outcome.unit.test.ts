import { expect, test } from 'vitest';
import { countOomKills, exitReason, parseExit, parseStart } from './outcome.ts';

test('a start is read with its process and warnings', () => {
  expect(parseStart('started 1795345648441 4711 99887766\nwarning no score\nwarning more\n')).toEqual({
    kind: 'started',
    startedAtMs: 1795345648441,
    process: { pid: 4711, startTime: '99887766' },
    warnings: ['no score', 'more'],
  });
});

test('a failed start is read with its exit code and message, which may have several lines', () => {
  expect(parseStart('error 127 executable x not found\nsecond\n')).toEqual({
    kind: 'failed',
    exitCode: 127,
    message: 'executable x not found\nsecond',
  });
});

test.each(['', 'started', 'started 1 2', 'error 12', 'something else'])('%j is no outcome', (text) => {
  expect(parseStart(text)).toBeUndefined();
});

test.each([
  ['0', 0],
  ['137', 137],
  ['3\n', 3],
  ['-1', 255],
  ['', undefined],
  ['x', undefined],
])('the exit file %j means %j', (text, code) => {
  expect(parseExit(text)).toBe(code);
});

test.each([
  [0, false, 'Completed'],
  // A child was killed, and the main process coped.
  [0, true, 'Completed'],
  [1, false, 'Error'],
  [137, true, 'OOMKilled'],
  [1, true, 'OOMKilled'],
])('exit code %d with oom %j is %s', (code, oom, reason) => {
  expect(exitReason(code, oom)).toBe(reason);
});

test.each([
  ['oom_kill_disable 0\nunder_oom 0\noom_kill 2\n', 2],
  ['low 0\nhigh 0\nmax 5\noom 3\noom_kill 3\noom_group_kill 0\n', 3],
  ['oom_kill_disable 1\n', 0],
  [undefined, 0],
])('oom kills are counted in both formats', (text, count) => {
  expect(countOomKills(text)).toBe(count);
});
