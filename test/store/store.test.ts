import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import { openStore } from '../../src/store/store.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-store-test-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

interface NumberRecord {
  value: number;
  padding: string;
}

test('a writer that is killed at any instant leaves every record whole, none older than it said', async () => {
  const kills = 25;
  let firstValue = 0;
  const promised = new Map<string, number>();
  for (let kill = 0; kill < kills; kill += 1) {
    const writer = spawn(
      process.execPath,
      [join(import.meta.dirname, 'writer.ts'), dir, String(firstValue)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const said = collectLines(writer);
    await once(writer.stdout!, 'data');
    await sleep(Math.random() * 60);
    writer.kill('SIGKILL');
    await once(writer, 'close');
    for (const line of said) {
      const [key, value] = line.split(' ');
      promised.set(key!, Number(value));
      firstValue = Number(value) + 1;
    }
    const store = await openStore(dir, silentLogger());
    const records = new Map(
      (await store.load<NumberRecord>('numbers')).map(({ key, value }) => [key, value]),
    );
    for (const [key, value] of promised) {
      const record = records.get(key);
      expect(record?.value).toBeGreaterThanOrEqual(value);
      expect(record?.padding).toHaveLength(record!.value % 20_000);
      firstValue = Math.max(firstValue, record!.value + 1);
    }
    expect(await readdir(dir)).toEqual(['numbers']);
    expect((await readdir(join(dir, 'numbers'))).filter((name) => !name.endsWith('.rec'))).toEqual([]);
  }
  expect(promised.size).toBe(3);
});

test('a full, inode-less or read-only disk fails the write with the path and the reason, keeps the old, recovers', async () => {
  await mkdir(join(dir, 'disk'));
  const script = ['mount -t tmpfs -o size=128k,nr_inodes=64 tmpfs "$1"', 'exec "$2" "$3" "$1"'].join(' && ');
  const { stdout } = await promisify(execFile)('unshare', [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    join(dir, 'disk'),
    process.execPath,
    join(import.meta.dirname, 'faults.ts'),
  ]);
  const path = (key: string) => join(dir, 'disk', 'store', 'pods', `${key}.rec`);
  const kept = [{ key: 'kept', value: 'old' }];
  expect(JSON.parse(stdout)).toEqual({
    'ENOSPC/kept': {
      outcome: { code: 'ENOSPC', path: path('kept'), message: expect.stringContaining('no space') },
      kept,
    },
    'no inodes/other': {
      outcome: { code: 'ENOSPC', path: path('other'), message: expect.stringContaining('no inode') },
      kept,
    },
    'EROFS/kept': {
      outcome: { code: 'EROFS', path: path('kept'), message: expect.stringContaining('read-only') },
      kept,
    },
    recovered: [{ key: 'kept', value: 'new' }],
  });
});

/** Whole lines only: what was cut by the kill was not said. */
function collectLines(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  return lines;
}
