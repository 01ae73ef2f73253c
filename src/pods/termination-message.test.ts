import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { terminationMessageHostPathAnnotation, terminationMessagePolicyAnnotation } from './identity.ts';
import { logEnd, terminationMessage } from './termination-message.ts';
import { testContainer } from './testing.ts';

const line = (text: string, tag = 'F') => `2026-01-01T00:00:00.000000000Z stdout ${tag} ${text}\n`;

describe('the end of a log', () => {
  it.each([
    ['nothing', '', ''],
    ['one line', line('a'), 'a\n'],
    ['an empty line', line('a') + line('') + line('b'), 'a\n\nb\n'],
    ['pieces of a long line', line('long', 'P') + line('er') + line('b'), 'longer\nb\n'],
    ['a line cut off at its start', `garbage\n${line('a')}`, 'a\n'],
    ['a piece whose rest never came', line('a') + line('b', 'P'), 'a\nb'],
  ])('of %s', (_, log, expected) => {
    expect(logEnd(log)).toBe(expected);
  });

  it('is at most 80 lines and 2048 bytes', () => {
    const many = Array.from({ length: 100 }, (_, i) => line(String(i))).join('');
    expect(logEnd(many).trimEnd().split('\n')).toHaveLength(80);
    expect(logEnd(many).endsWith('\n99\n')).toBe(true);
    expect(Buffer.byteLength(logEnd(line('x'.repeat(5000))))).toBe(2048);
  });
});

describe('the termination message', () => {
  let dir: string;
  const signal = AbortSignal.timeout(60_000);
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-message-'));
    await writeFile(join(dir, 'log'), line('from the log'));
    await writeFile(join(dir, 'said'), 'said by the program');
    await writeFile(join(dir, 'silent'), '');
    await writeFile(join(dir, 'long'), `${'x'.repeat(5000)}end`);
  });
  afterAll(() => rm(dir, { recursive: true }));

  const message = (file: string, exitCode: number, policy = 'File') =>
    terminationMessage(
      testContainer('a', 'exited', {
        exitCode,
        logPath: join(dir, 'log'),
        annotations: {
          [terminationMessageHostPathAnnotation]: join(dir, file),
          [terminationMessagePolicyAnnotation]: policy,
        },
      }),
      signal,
    );

  it.each([
    ['what the program wrote', 'said', 1, 'FallbackToLogsOnError', 'said by the program'],
    ['also when it ended well', 'said', 0, 'File', 'said by the program'],
    ['nothing when it wrote nothing', 'silent', 1, 'File', ''],
    ['nothing when the file is gone', 'gone', 1, 'File', ''],
    ['the end of the log when it failed in silence', 'silent', 1, 'FallbackToLogsOnError', 'from the log\n'],
    ['not the log when it ended well', 'silent', 0, 'FallbackToLogsOnError', ''],
  ])('is %s', async (_, file, exitCode, policy, expected) => {
    expect(await message(file, exitCode, policy)).toBe(expected);
  });

  it('is the last 4096 bytes of a long one', async () => {
    const text = await message('long', 1);
    expect(text).toHaveLength(4096);
    expect(text.endsWith('end')).toBe(true);
  });
});
