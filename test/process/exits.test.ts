/** Where exit codes are kept, beside a state directory that an older agent made. */
import { lstat, mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../runtime/process/store.ts';
import { silentLogger } from '../../src/log.ts';

let stateDir: string;
let exits: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'roslet-exits-'));
  exits = join(stateDir, 'exits');
});
afterEach(async () => {
  await openStore(stateDir, silentLogger());
  await rm(await readlink(exits), { recursive: true });
  await rm(stateDir, { recursive: true });
});

test('codes that an older agent kept on the disk are read there, until there are none', async () => {
  await mkdir(exits);
  await writeFile(join(exits, 'code'), '0');
  await openStore(stateDir, silentLogger());
  expect((await lstat(exits)).isDirectory()).toBe(true);
  expect(await readdir(exits)).toEqual(['code']);
  await rm(join(exits, 'code'));
  await openStore(stateDir, silentLogger());
  expect((await lstat(exits)).isSymbolicLink()).toBe(true);
});

test('their directory in memory is made again after a boot', async () => {
  await openStore(stateDir, silentLogger());
  await rm(await readlink(exits), { recursive: true });
  await openStore(stateDir, silentLogger());
  expect(await readdir(exits)).toEqual([]);
});

test('a state directory has one place for them, whatever path it is reached by', async () => {
  await openStore(stateDir, silentLogger());
  const own = await readlink(exits);
  const other = `${stateDir}-link`;
  await symlink(stateDir, other);
  await openStore(other, silentLogger());
  expect(await readlink(exits)).toBe(own);
  await rm(other);
});

test('a state directory that was moved shares its codes with nobody', async () => {
  await openStore(stateDir, silentLogger());
  const own = await readlink(exits);
  await rm(exits);
  await symlink('/run/roslet/exits/of-another', exits);
  await openStore(stateDir, silentLogger());
  expect(await readlink(exits)).toBe(own);
});
