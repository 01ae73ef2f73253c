/**
 * Runs in a mount namespace of its own, where the directory given is a small tmpfs: fills it up, uses up its inodes,
 * makes it read-only, and prints as JSON what the store does and what it still holds after each. Also an agent that
 * starts then must get its lock.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { acquireLock } from '../../src/store/lock.ts';
import { openStore, StoreError } from '../../src/store/store.ts';

const [mountpoint] = process.argv.slice(2);
const dir = join(mountpoint!, 'store');
const fillings = join(mountpoint!, 'fillings');
const store = await openStore(dir, silentLogger());
await store.put('pods', 'kept', 'old');
const lockPath = join(mountpoint!, 'roslet.lock');
await (await acquireLock(lockPath)).release();
const results: Record<string, unknown> = {};

async function tryToWrite(fault: string, key: string): Promise<void> {
  const outcome = await store.put('pods', key, 'x'.repeat(9000)).then(
    () => 'written',
    (error: unknown) =>
      error instanceof StoreError
        ? { code: error.code, path: error.path, message: error.message }
        : String(error),
  );
  const kept = await (await openStore(dir, silentLogger())).load('pods');
  await (await acquireLock(lockPath)).release();
  results[`${fault}/${key}`] = { outcome, kept };
}

mkdirSync(fillings);
fill('space', 4096);
await tryToWrite('ENOSPC', 'kept');
rmSync(fillings, { recursive: true });

mkdirSync(fillings);
fill('inodes', 0);
await tryToWrite('no inodes', 'other');
rmSync(fillings, { recursive: true });

execFileSync('mount', ['-o', 'remount,ro', mountpoint!]);
await tryToWrite('EROFS', 'kept');
execFileSync('mount', ['-o', 'remount,rw', mountpoint!]);

await store.put('pods', 'kept', 'new');
results.recovered = await store.load('pods');
console.log(JSON.stringify(results));

/** Makes files of that size until no more can be made. */
function fill(name: string, bytes: number): void {
  for (let index = 0; ; index += 1) {
    try {
      writeFileSync(join(fillings, `${name}${index}`), Buffer.alloc(bytes, 1));
    } catch {
      return;
    }
  }
}
