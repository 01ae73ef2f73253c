import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { mountsIn, podWith, signal, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('a subPath', () => {
  let pod: Pod;
  let inside: string;
  const bind = (subPath: string, name = 'v', index = 0) =>
    on.volumes.bindSubPath(pod, name, { container: 'c', index, subPath }, signal);

  beforeEach(async () => {
    on.configMaps.settings = { data: { rate: '50' } };
    pod = podWith([
      { name: 'v', emptyDir: {} },
      { name: 'cm', configMap: { name: 'settings' } },
    ]);
    await on.volumes.setUp(pod, signal);
    inside = on.pathOf(pod, 'v');
    await mkdir(join(on.root, 'outside'));
    await writeFile(join(on.root, 'outside', 'secret'), '');
  });

  test('is bound, made if need be as open as its volume, and bound once', async () => {
    const target = await bind('a/b');
    expect((await stat(target)).mode & 0o7777).toBe(0o777);
    await writeFile(join(inside, 'a', 'b', 'file'), '');
    expect(await readdir(target)).toEqual(['file']);
    expect(await bind('a/b')).toBe(target);
    expect(await mountsIn(on.root)).toHaveLength(1);
  });

  test('may be a file, and be seen through the links of a config map', async () => {
    expect(await readFile(await bind('rate', 'cm'), 'utf8')).toBe('50');
  });

  test('of a config map that changed is bound anew, for the next start of its container', async () => {
    const target = await bind('rate', 'cm');
    on.configMaps.settings = { data: { rate: '100' } };
    await on.volumes.refresh(pod, signal);
    expect(await readFile(target, 'utf8')).toBe('50');
    expect(await bind('rate', 'cm')).toBe(target);
    expect(await readFile(target, 'utf8')).toBe('100');
    expect(await mountsIn(on.root)).toHaveLength(1);
  });

  test('that was a file and is a directory now is bound anew', async () => {
    await writeFile(join(inside, 'x'), '');
    await bind('x');
    await rm(join(inside, 'x'));
    await mkdir(join(inside, 'x', 'y'), { recursive: true });
    expect(await readdir(await bind('x'))).toEqual(['y']);
  });

  test('may be a socket or a device', async () => {
    const server = createServer().listen(join(inside, 'socket'));
    await once(server, 'listening');
    expect((await stat(await bind('socket'))).isSocket()).toBe(true);
    server.close();
  });

  test('follows links that stay inside', async () => {
    await mkdir(join(inside, 'real', 'deep'), { recursive: true });
    await writeFile(join(inside, 'real', 'deep', 'file'), '');
    await symlink('../real/./deep', join(inside, 'real', 'relative'));
    await symlink(join(inside, 'real'), join(inside, 'absolute'));
    expect(await readdir(await bind('absolute/relative'))).toEqual(['file']);
  });

  test.each([['../outside'], ['up/outside'], ['absolute'], ['a/../../v'], ['chain/secret']])(
    '%s does not lead out',
    async (subPath) => {
      await symlink('../../../../..', join(inside, 'up'));
      await symlink(join(on.root, 'outside'), join(inside, 'absolute'));
      await symlink('absolute', join(inside, 'chain'));
      await mkdir(join(inside, 'a'));
      await expect(bind(subPath)).rejects.toThrow(/leads out of its volume/);
      expect(await mountsIn(on.root)).toEqual([]);
      expect(await readdir(join(on.root, 'outside'))).toEqual(['secret']);
    },
  );

  test('in a circle of links, or through a file, is refused', async () => {
    await symlink('b', join(inside, 'a'));
    await symlink('a', join(inside, 'b'));
    await expect(bind('a/c')).rejects.toThrow(/too many links/);
    await writeFile(join(inside, 'file'), '');
    await expect(bind('file/x')).rejects.toThrow(/goes through file, which is not a directory/);
  });

  test('never leads out while a container swaps its directories for links', async () => {
    await mkdir(join(inside, 'x', 'y'), { recursive: true });
    await mkdir(join(on.root, 'outside', 'y'));
    await writeFile(join(on.root, 'outside', 'y', 'secret'), '');
    await symlink(join(on.root, 'outside'), join(inside, 'trap'));
    const attacker = attack(inside);
    const exit = once(attacker, 'exit');
    let bound = 0;
    let refused = 0;
    try {
      for (let attempt = 0; attempt < 300; attempt += 1) {
        try {
          const target = await bind('x/y', 'v', attempt % 3);
          bound += 1;
          expect(await readdir(target)).not.toContain('secret');
        } catch (error) {
          if (!/leads out|ENOENT|ENOTDIR|goes through/.test(String(error))) throw error;
          refused += 1;
        }
      }
    } finally {
      attacker.kill('SIGKILL');
      await exit;
    }
    expect(attacker.signalCode).toBe('SIGKILL');
    expect(bound).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    expect(await readdir(join(on.root, 'outside'))).toEqual(['secret', 'y']);
    expect(await readdir(join(on.root, 'outside', 'y'))).toEqual(['secret']);
  });
});

/** Exchanges the directory x with a link that leads out, as fast as it can (renameat2, which Node does not have). */
function attack(dir: string): ChildProcess {
  const renameat2 = process.arch === 'arm64' ? 276 : 316;
  const program = `
    my ($x, $trap) = ("x", "trap");
    chdir shift;
    for (;;) { syscall(${renameat2}, -100, $x, -100, $trap, 2) == 0 or die $! }`;
  return spawn('/usr/bin/perl', ['-e', program, dir], { stdio: 'inherit' });
}
