import { access, link, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeTree } from './safe-fs.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-safe-fs-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const signal = new AbortController().signal;

describe('removing a tree', () => {
  test('of nothing succeeds', async () => {
    await removeTree(join(dir, 'nothing'), signal);
    expect(await readdir(dir)).toEqual([]);
  });

  test('takes files, links and directories of any name', async () => {
    const tree = join(dir, 'tree');
    await mkdir(join(tree, 'a', 'b c', '...', '\\n'), { recursive: true });
    await writeFile(join(tree, 'a', '-rf'), '');
    await symlink('nowhere', join(tree, 'a', 'dangling'));
    await removeTree(tree, signal);
    expect(await readdir(dir)).toEqual([]);
  });

  test('takes a link or a file for what it is', async () => {
    const outside = join(dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), '');
    await symlink(outside, join(dir, 'link'));
    await link(join(outside, 'precious'), join(dir, 'file'));
    await removeTree(join(dir, 'link'), signal);
    await removeTree(join(dir, 'file'), signal);
    expect(await readdir(dir)).toEqual(['outside']);
    await access(join(outside, 'precious'));
  });

  test('never follows a link out of it', async () => {
    const outside = join(dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), '');
    const tree = join(dir, 'tree');
    await mkdir(tree);
    await symlink(outside, join(tree, 'relative'));
    await symlink('/', join(tree, 'root'));
    await removeTree(tree, signal);
    expect(await readdir(dir)).toEqual(['outside']);
    await access(join(outside, 'precious'));
  });

  test('copes with more entries than one listing holds', async () => {
    const tree = join(dir, 'tree');
    await mkdir(tree);
    const names = Array.from({ length: 1000 }, (_, i) => `file-with-a-rather-long-name-${i}`);
    await Promise.all(names.map((name) => writeFile(join(tree, name), '')));
    await removeTree(tree, signal);
    expect(await readdir(dir)).toEqual([]);
  });

  test('copes with a nest deeper than a path can be long', async () => {
    const tree = join(dir, 'tree');
    await nest(tree, 80);
    await removeTree(tree, signal);
    expect(await readdir(dir)).toEqual([]);
  });

  test('by two at the same time succeeds for both', async () => {
    const tree = join(dir, 'tree');
    await mkdir(join(tree, 'sub'), { recursive: true });
    await Promise.all(
      Array.from({ length: 400 }, (_, i) => writeFile(join(tree, i % 2 === 0 ? 'sub' : '.', `f${i}`), '')),
    );
    await Promise.all([removeTree(tree, signal), removeTree(tree, signal)]);
    expect(await readdir(dir)).toEqual([]);
  });

  test('stops when it is told to, and can go on later', async () => {
    const tree = join(dir, 'tree');
    await nest(tree, 10);
    await expect(removeTree(tree, AbortSignal.abort())).rejects.toThrow();
    await removeTree(tree, signal);
    expect(await readdir(dir)).toEqual([]);
  });
});

/** Longer than a path may be: built from below, by putting what there is into a new directory. */
async function nest(top: string, depth: number): Promise<void> {
  await mkdir(top);
  for (let level = 0; level < depth; level += 1) {
    await mkdir(`${top}-outer`);
    await rename(top, join(`${top}-outer`, 'd'.repeat(200)));
    await writeFile(join(`${top}-outer`, 'f'), '');
    await rename(`${top}-outer`, top);
  }
}
