import { pino } from 'pino';
import { expect, it } from 'vitest';
import { LibraryLog } from './library-log.ts';

function logged(): { lines: string[]; log: LibraryLog; pass: (ms: number) => void } {
  const lines: string[] = [];
  let nowMs = 0;
  const logger = pino({}, { write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg) });
  return { lines, log: new LibraryLog(logger, () => nowMs), pass: (ms) => (nowMs += ms) };
}

it('tells each kind of warning once a minute, and how many more there were', () => {
  const { lines, log, pass } = logged();
  for (let i = 0; i < 1000; i++) log.warn(`parameter length ${i} out of bounds`);
  log.warn('another');
  expect(lines).toEqual(['parameter length 0 out of bounds', 'another']);
  pass(60_000);
  log.warn('another');
  expect(lines.slice(2)).toEqual(['Cyclone DDS warned more often than is logged', 'another']);
});

it('tells a limited number of different ones', () => {
  const { lines, log } = logged();
  for (const letter of 'abcdefghijklmnopqrstuvwxyz') log.warn(letter);
  expect(lines).toHaveLength(20);
});
