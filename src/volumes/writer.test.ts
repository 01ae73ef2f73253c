import {
  access,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isRendered, type Payload, writePayload } from './writer.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-writer-'));
});
afterEach(() => rm(dir, { recursive: true }));

const signal = new AbortController().signal;
const payloadOf = (files: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));
const write = (files: Record<string, string>, mode?: number, gid?: number) =>
  writePayload(dir, payloadOf(files, mode), gid, signal);

/** What a container sees: files by path, with links followed, hidden entries left out. */
async function seen(at = dir): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of await readdir(at)) {
    if (name.startsWith('..')) continue;
    for (const file of await readdir(join(at, name), { recursive: true, withFileTypes: true }).catch(
      () => [],
    )) {
      if (file.isFile()) {
        const path = join(file.parentPath, file.name);
        files[path.slice(at.length + 1)] = await readFile(path, 'utf8');
      }
    }
    if ((await lstat(join(at, '..data', name))).isFile())
      files[name] = await readFile(join(at, name), 'utf8');
  }
  return files;
}

const hidden = async () => (await readdir(dir)).filter((name) => name.startsWith('..'));

describe('a payload', () => {
  test('is seen through links into one generation', async () => {
    expect(await isRendered(dir)).toBe(false);
    expect(await write({ name: 'n', 'a/b': '1', 'a/c/d': '2' })).toBe(true);
    expect(await isRendered(dir)).toBe(true);
    expect(await seen()).toEqual({ name: 'n', 'a/b': '1', 'a/c/d': '2' });
    expect(await readlink(join(dir, 'name'))).toBe('..data/name');
    expect(await readlink(join(dir, 'a'))).toBe('..data/a');
    expect(await readlink(join(dir, '..data'))).toMatch(/^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\..{6}$/);
  });

  test('that is the same is not written again', async () => {
    await write({ a: '1' });
    const before = await readlink(join(dir, '..data'));
    expect(await write({ a: '1' })).toBe(false);
    expect(await readlink(join(dir, '..data'))).toBe(before);
  });

  test.each<[string, Record<string, string>]>([
    ['content', { a: '2' }],
    ['a new file', { a: '1', b: '2' }],
    ['a file less', {}],
    ['a file that becomes a directory', { 'a/b': '1' }],
  ])('with %s replaces the last, and leaves nothing of it', async (_, files) => {
    await write({ a: '1' });
    expect(await write(files)).toBe(true);
    expect(await seen()).toEqual(files);
    expect(await hidden()).toHaveLength(2);
  });

  test.each([[0o400], [0o644], [0o777], [0o4755]])('has its mode %o whatever the umask', async (mode) => {
    const umask = process.umask(0o077);
    try {
      await write({ 'a/b': '1' }, mode);
    } finally {
      process.umask(umask);
    }
    expect((await lstat(join(dir, '..data', 'a', 'b'))).mode & 0o7777).toBe(mode);
    expect((await lstat(join(dir, '..data', 'a'))).mode & 0o7777).toBe(0o755);
    expect(await write({ 'a/b': '1' }, mode)).toBe(false);
  });

  test('with another mode is written again', async () => {
    await write({ a: '1' }, 0o644);
    expect(await write({ a: '1' }, 0o600)).toBe(true);
  });

  test.runIf(process.getuid?.() === 0)('belongs to the fsGroup, which may read it', async () => {
    await write({ 'a/b': '1' }, 0o400, 4242);
    const file = await lstat(join(dir, '..data', 'a', 'b'));
    expect({ gid: file.gid, mode: file.mode & 0o7777 }).toEqual({ gid: 4242, mode: 0o440 });
    const parent = await lstat(join(dir, '..data', 'a'));
    expect({ gid: parent.gid, mode: parent.mode & 0o7777 }).toEqual({ gid: 4242, mode: 0o2755 });
    expect(await write({ 'a/b': '1' }, 0o400, 4242)).toBe(false);
    expect(await write({ 'a/b': '1' }, 0o400, 4243)).toBe(true);
  });

  test('that was damaged on the disk is written again', async () => {
    await write({ a: '1' });
    await writeFile(join(dir, '..data', 'a'), '');
    expect(await write({ a: '1' })).toBe(true);
    expect(await seen()).toEqual({ a: '1' });
  });
});

test.each([
  ['', /must not be empty/],
  ['/etc/passwd', /must be relative/],
  ['../x', /must not contain '\.\.'/],
  ['a/../../x', /must not contain '\.\.'/],
  ['..data', /must not start with '\.\.'/],
  ['./..data', /must not start with '\.\.'/],
  ['.', /names no file/],
  ['a'.repeat(256), /filenames must be less than or equal to 255/],
  ['a/'.repeat(2049), /less than or equal to 4096/],
  ['a\0b', /NUL/],
])('the path %j is refused, and nothing is written', async (path, message) => {
  await expect(write({ ok: '1', [path]: '2' })).rejects.toThrow(message);
  expect(await readdir(dir)).toEqual([]);
});

test('a path that is both a file and a directory is refused', async () => {
  await expect(write({ a: '1', 'a/b': '2' })).rejects.toThrow('a is both a file and the directory of a/b');
});

test('what a killed writer left is taken away, and what it had not finished is', async () => {
  await write({ a: '1' });
  const half = join(dir, '..2020_01_01_00_00_00.abcdef');
  await mkdir(half);
  await writeFile(join(half, 'a'), 'half');
  await symlink('..2020_01_01_00_00_00.abcdef', join(dir, '..data_123'));
  await symlink('..data/gone', join(dir, 'gone'));
  await rm(join(dir, 'a'));
  expect(await write({ a: '1' })).toBe(false);
  expect((await readdir(dir)).sort()).toEqual(['..data', await readlink(join(dir, '..data')), 'a'].sort());
});

test('a write that is aborted leaves the last version as it was', async () => {
  await write({ a: '1', b: '1' });
  const controller = new AbortController();
  controller.abort();
  await expect(
    writePayload(dir, payloadOf({ a: '2', b: '2' }), undefined, controller.signal),
  ).rejects.toThrow();
  expect(await seen()).toEqual({ a: '1', b: '1' });
  expect(await hidden()).toHaveLength(2);
});

test('links that lead out of the volume are removed, not followed', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'roslet-writer-outside-'));
  await writeFile(join(outside, 'precious'), '');
  await write({ a: '1' });
  await symlink(outside, join(dir, 'stray'));
  await write({ a: '2' });
  await access(join(outside, 'precious'));
  expect(await readdir(dir)).not.toContain('stray');
  await rm(outside, { recursive: true });
});

/** Many small writes, on machines whose disk is busy. */
const slow = { timeout: 60_000 };

const names = fc.constantFrom('a', 'b', 'c/x', 'c/y', 'd/e/f');
const payloads = fc.array(fc.uniqueArray(names), { minLength: 1, maxLength: 6 });

test('after any sequence of payloads the last one is seen, and only it', slow, async () => {
  await fc.assert(
    fc.asyncProperty(payloads, async (sequence) => {
      for (const [generation, paths] of sequence.entries()) {
        const files = Object.fromEntries(paths.map((path) => [path, `${generation}`]));
        await write(files);
        expect(await seen()).toEqual(files);
        expect(await hidden()).toHaveLength(2);
      }
    }),
    { numRuns: 15 },
  );
});

test(
  'a reader that enters through ..data sees one generation, whole, while others are written',
  slow,
  async () => {
    const files = (generation: number) =>
      Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, `${generation}`]));
    await write(files(0));
    let writing = true;
    const reads: string[][] = [];
    const reader = async () => {
      while (writing) {
        // The old generation may go while it is read: then a file is missing, but never of another generation.
        const at = join(dir, await readlink(join(dir, '..data')));
        const contents = await Promise.all(
          Object.keys(files(0)).map((name) => readFile(join(at, name), 'utf8').catch(() => 'gone')),
        );
        reads.push(contents);
      }
    };
    const reading = reader();
    try {
      for (let generation = 1; generation <= 30; generation += 1) await write(files(generation));
    } finally {
      writing = false;
      await reading;
    }
    for (const contents of reads) {
      expect(new Set(contents.filter((text) => text !== 'gone')).size).toBeLessThanOrEqual(1);
    }
    expect(reads.some((contents) => !contents.includes('gone'))).toBe(true);
  },
);
