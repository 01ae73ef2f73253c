import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../log.ts';
import { openStore, StoreError } from './store.ts';

let dir: string;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'roslet-store-')), 'store');
});

afterEach(async () => {
  await rm(join(dir, '..'), { recursive: true });
});

/** What is logged, line by line. */
function recordedLog() {
  const lines: { level: number; msg: string; path?: string }[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

describe('a store', () => {
  test('gives back what was put, also to the next agent', async () => {
    const store = await openStore(dir, silentLogger());
    await store.put('pods', 'default/web', { uid: '1' });
    await store.put('pods', 'default/db', { uid: '2' });
    await store.put('secrets', 'default/web', { data: {} });
    const next = await openStore(dir, silentLogger());
    expect((await next.load('pods')).sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
      { key: 'default/db', value: { uid: '2' } },
      { key: 'default/web', value: { uid: '1' } },
    ]);
    expect(await next.load('secrets')).toEqual([{ key: 'default/web', value: { data: {} } }]);
    expect(await next.load('events')).toEqual([]);
  });

  test('replaces and deletes; deleting what is not there succeeds', async () => {
    const store = await openStore(dir, silentLogger());
    await store.put('pods', 'a', 1);
    await store.put('pods', 'a', 2);
    expect(await store.load('pods')).toEqual([{ key: 'a', value: 2 }]);
    await store.delete('pods', 'a');
    await store.delete('pods', 'a');
    await store.delete('never', 'a');
    expect(await store.load('pods')).toEqual([]);
  });

  test('keeps the newest of many writes at once, and each is answered', async () => {
    const store = await openStore(dir, silentLogger());
    const writes = Array.from({ length: 50 }, (_, value) => store.put('pods', 'a', value));
    await Promise.all([...writes, store.delete('pods', 'b'), store.put('pods', 'b', 'b')]);
    expect(await store.load('pods')).toEqual([
      { key: 'a', value: 49 },
      { key: 'b', value: 'b' },
    ]);
    await Promise.all([store.put('pods', 'a', 'late'), store.delete('pods', 'a')]);
    expect(await store.load('pods')).toEqual([{ key: 'b', value: 'b' }]);
  });

  test('writes many records of a kind at a time, also where somebody took their directory away', async () => {
    const store = await openStore(dir, silentLogger());
    const keys = Array.from({ length: 40 }, (_, n) => `${n}`);
    const putAll = () => Promise.all(keys.map((key) => store.put('pods', key, key)));
    await putAll();
    await rm(join(dir, 'pods'), { recursive: true });
    await putAll();
    expect((await store.load('pods')).map(({ key }) => key).sort()).toEqual(keys.sort());
    await Promise.all(keys.map((key) => store.delete('pods', key)));
    expect(await store.load('pods')).toEqual([]);
  });

  test('takes a value as it was at the call', async () => {
    const store = await openStore(dir, silentLogger());
    const value = { phase: 'Pending' };
    const written = store.put('pods', 'a', value);
    value.phase = 'Running';
    await written;
    expect(await store.load('pods')).toEqual([{ key: 'a', value: { phase: 'Pending' } }]);
  });

  test('lets nobody else read', async () => {
    const store = await openStore(dir, silentLogger());
    await store.put('secrets', 'a', 1);
    const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    expect(await mode(dir)).toBe('700');
    expect(await mode(join(dir, 'secrets'))).toBe('700');
    expect(await mode(join(dir, 'secrets', 'a.rec'))).toBe('600');
  });

  test('sets a corrupt record aside with an error that names it, and goes on with the others', async () => {
    const store = await openStore(dir, silentLogger());
    await store.put('pods', 'good', 1);
    await store.put('pods', 'torn', { long: 'x'.repeat(500) });
    const path = join(dir, 'pods', 'torn.rec');
    const torn = (await readFile(path)).subarray(0, 300);
    await writeFile(path, torn);
    await writeFile(join(dir, 'pods', 'empty.rec'), '');
    const { log, lines } = recordedLog();
    const next = await openStore(dir, log);
    expect(await next.load('pods')).toEqual([{ key: 'good', value: 1 }]);
    expect(
      lines
        .map(({ level, path: named }) => ({ level, named }))
        .sort((a, b) => (a.named! < b.named! ? -1 : 1)),
    ).toEqual([
      { level: 50, named: join(dir, 'pods', 'empty.rec') },
      { level: 50, named: path },
    ]);
    const aside = await readdir(join(dir, 'corrupt'));
    const kept = aside.find((name) => name.endsWith('torn.rec'));
    expect(await readFile(join(dir, 'corrupt', kept!))).toEqual(torn);
    expect(await next.load('pods')).toHaveLength(1);
    await next.put('pods', 'torn', 'new');
    expect(await next.load('pods')).toHaveLength(2);
  });

  test('ignores and removes what a killed agent left half written', async () => {
    await mkdir(join(dir, 'pods'), { recursive: true });
    await writeFile(join(dir, 'pods', 'a.rec.tmp'), 'roslet-store 1 sha');
    const store = await openStore(dir, silentLogger());
    expect(await readdir(join(dir, 'pods'))).toEqual([]);
    expect(await store.load('pods')).toEqual([]);
  });

  test('says which file could not be written and why, and keeps the old record', async () => {
    const store = await openStore(dir, silentLogger());
    await store.put('pods', 'a', 'old');
    // A directory in the way of the temporary file: the one fault that even root runs into.
    await mkdir(join(dir, 'pods', 'a.rec.tmp'));
    const failure = await store.put('pods', 'a', 'new').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ path: join(dir, 'pods', 'a.rec'), code: 'EISDIR' });
    expect(await store.load('pods')).toEqual([{ key: 'a', value: 'old' }]);
    await rm(join(dir, 'pods', 'a.rec.tmp'), { recursive: true });
    await store.put('pods', 'a', 'new');
    expect(await store.load('pods')).toEqual([{ key: 'a', value: 'new' }]);
  });

  test.each(['', '..', 'corrupt', 'a/b', 'Pods'])('refuses %j as a kind', async (kind) => {
    const store = await openStore(dir, silentLogger());
    await expect(store.load(kind)).rejects.toThrow('cannot be a kind');
  });
});
