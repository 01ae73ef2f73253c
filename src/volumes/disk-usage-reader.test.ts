import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskUsageReader } from './disk-usage-reader.ts';

const signal = new AbortController().signal;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'roslet-disk-'));
});
afterEach(() => {
  // Node's own rm does not get to the bottom of the deep tree.
  execFileSync('rm', ['-rf', dir]);
});

describe('diskUsageReader', () => {
  it('measures a tree that is deeper than a path can be long', async () => {
    const dig = `for (let i = 0; i < 30; i++) { fs.mkdirSync('d'.repeat(200)); process.chdir('d'.repeat(200)); }
      fs.writeFileSync('hidden', Buffer.alloc(1 << 20))`;
    execFileSync(process.execPath, ['-e', dig], { cwd: dir });
    const usage = await diskUsageReader(Date.now).of(dir, signal);
    expect(usage.inodesUsed).toBe(32);
    expect(usage.usedBytes).toBeGreaterThanOrEqual(1 << 20);
  });

  it('counts a file with two names once, and what is not there as nothing', async () => {
    const disk = diskUsageReader(Date.now);
    await writeFile(join(dir, 'a'), 'x');
    await link(join(dir, 'a'), join(dir, 'b'));
    expect(await disk.of(dir, signal)).toMatchObject({ inodesUsed: 2 });
    expect(await disk.of(join(dir, 'none'), signal)).toMatchObject({ usedBytes: 0, inodesUsed: 0 });
  });

  it('tells of a tree that cannot be measured, and goes on with the next', async () => {
    const disk = diskUsageReader(Date.now);
    const [bad, good] = await Promise.allSettled([
      disk.of(join(dir, 'x'.repeat(300)), signal),
      disk.of(dir, signal),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'ENAMETOOLONG' } });
    expect(good).toMatchObject({ status: 'fulfilled', value: { inodesUsed: 1 } });
  });

  it('measures a tree again after a while, and not before', async () => {
    let nowMs = 0;
    const disk = diskUsageReader(() => nowMs, 1000);
    const empty = await disk.of(dir, signal);
    await writeFile(join(dir, 'file'), Buffer.alloc(1 << 16, 1));
    nowMs = 999;
    expect(await disk.of(dir, signal)).toEqual(empty);
    nowMs = 1000;
    expect((await disk.of(dir, signal)).usedBytes).toBeGreaterThanOrEqual(empty.usedBytes + (1 << 16));
  });

  it('does not take a tree that was made anew under the same path for the one before', async () => {
    const disk = diskUsageReader(() => 0, 1000);
    const tree = join(dir, 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'file'), Buffer.alloc(1 << 16, 1));
    const full = await disk.of(tree, signal);
    await rm(tree, { recursive: true });
    expect((await disk.of(tree, signal)).usedBytes).toBe(0);
    await mkdir(tree);
    expect((await disk.of(tree, signal)).usedBytes).toBeLessThanOrEqual(full.usedBytes - (1 << 16));
  });
});
