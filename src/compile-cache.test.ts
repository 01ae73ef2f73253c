import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compileCacheDir } from './compile-cache.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'roslet-cache-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

test.each([
  ['as a word of its own', () => ['run', '--root-dir', dir, '--v=2']],
  ['behind the equals sign', () => ['run', '--config=x', `--root-dir=${dir}`]],
  ['as the flag library of the kubelet takes it, too', () => ['run', `--root_dir=${dir}`]],
  ['before the command', () => ['--root-dir', dir, 'run']],
  ['the last time', () => ['run', '--root-dir=/nowhere', `--root-dir=${dir}`]],
])('it is below the root directory that is given %s', (_, argv) => {
  expect(compileCacheDir(argv())).toBe(join(dir, 'compile-cache'));
  expect(statSync(join(dir, 'compile-cache')).mode & 0o777).toBe(0o700);
});

test('only the agent has one', () => {
  expect(compileCacheDir(['pods', '--root-dir', dir])).toBeUndefined();
  expect(compileCacheDir(['--root-dir', dir, 'pods'])).toBeUndefined();
});

test('no root directory is made before the configuration was read', () => {
  expect(compileCacheDir(['run', '--root-dir', join(dir, 'new')])).toBeUndefined();
  expect(existsSync(join(dir, 'new'))).toBe(false);
});

test('there is none where others than the agent may write', () => {
  chmodSync(dir, 0o775);
  expect(compileCacheDir(['run', '--root-dir', dir])).toBeUndefined();
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'shared'), { mode: 0o700 });
  chmodSync(join(dir, 'shared'), 0o777);
  symlinkSync('shared', join(dir, 'compile-cache'));
  expect(compileCacheDir(['run', '--root-dir', dir])).toBeUndefined();
});

test('there is none where a file is in the way', () => {
  expect(compileCacheDir(['run', '--root-dir', import.meta.filename])).toBeUndefined();
});
