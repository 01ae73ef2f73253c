import { expect, test } from 'vitest';
import type { PodLogLine } from '../agent-port.ts';
import { podLogLine } from './pod-rosout.ts';

const line = (text: string, stream: PodLogLine['stream'] = 'stdout') =>
  podLogLine({ uid: 'u', container: 'main', stream, stampMs: 5, text });

test.each([
  ['plain text', 'stdout', 'info', 'plain text'],
  ['plain text', 'stderr', 'warn', 'plain text'],
  ['[INFO] [1700000000.123456789] [driver]: ready', 'stderr', 'info', '[driver]: ready'],
  ['[WARN] [1700000000.123456789] [driver]: hot', 'stderr', 'warn', '[driver]: hot'],
  ['[ERROR] [1700000000.123456789] [driver]: gone', 'stdout', 'error', '[driver]: gone'],
  ['[FATAL] [driver]: dead', 'stderr', 'fatal', '[driver]: dead'],
  ['[DEBUG]: fine', 'stderr', 'debug', 'fine'],
  ['\u001b[33m[WARN] [1.5] [driver]: colored\u001b[0m', 'stderr', 'warn', '[driver]: colored'],
  ['[NOTICE] of another kind', 'stdout', 'info', '[NOTICE] of another kind'],
  ['[constructor] of a class', 'stdout', 'info', '[constructor] of a class'],
  ['trailing space \r', 'stdout', 'info', 'trailing space'],
  ['', 'stdout', 'info', ''],
] as const)('%j on %s is %s: %j', (text, stream, level, message) => {
  expect(line(text, stream)).toEqual({ timeMs: 5, level, message });
});
