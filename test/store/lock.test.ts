import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireLock, LockError } from '../../src/store/lock.ts';

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-lock-test-'));
  path = join(dir, 'root', 'roslet.lock');
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

async function startHolder() {
  const holder = spawn(process.execPath, [join(import.meta.dirname, 'holder.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(holder.stdout, 'data')) as [Buffer];
  return { holder, sleeperPid: Number(line.toString()) };
}

test('a second agent on a root directory is told which process holds it and how to look at it', async () => {
  const { holder, sleeperPid } = await startHolder();
  try {
    const failure = await acquireLock(path).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LockError);
    expect(failure).toMatchObject({ path, holderPid: holder.pid });
    expect(String(failure)).toContain(`ps -fp ${holder.pid}`);
  } finally {
    holder.kill('SIGKILL');
    process.kill(sleeperPid, 'SIGKILL');
  }
});

test('the lock of a killed agent is free at once, though what it started still runs', async () => {
  const { holder, sleeperPid } = await startHolder();
  holder.kill('SIGKILL');
  await once(holder, 'close');
  const lock = await acquireLock(path);
  expect(process.kill(sleeperPid, 0)).toBe(true);
  process.kill(sleeperPid, 'SIGKILL');
  await lock.release();
});

test('only one of many that start at the same time gets the lock, and after it the next', async () => {
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(path)));
  const locks = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  expect(locks).toHaveLength(1);
  await locks[0]!.release();
  const next = await acquireLock(path);
  await next.release();
});

test('agents of different root directories do not hinder each other', async () => {
  const locks = await Promise.all([acquireLock(path), acquireLock(join(dir, 'other', 'roslet.lock'))]);
  for (const lock of locks) await lock.release();
});

test('a lock file that was removed does not let two agents in on the new one', async () => {
  const first = await acquireLock(path);
  await rm(path);
  const second = await acquireLock(path);
  await expect(acquireLock(path)).rejects.toBeInstanceOf(LockError);
  await second.release();
  await first.release();
});
