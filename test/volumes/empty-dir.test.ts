import { existsSync } from 'node:fs';
import { chmod, link, open, readFile, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mib, mountsIn, podWith, run, signal, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('an emptyDir', () => {
  test('is open to all, and to the fsGroup by inheritance', async () => {
    const pod = podWith([{ name: 'disk', emptyDir: {} }], 4242);
    await on.volumes.setUp(pod, signal);
    const stats = await stat(on.pathOf(pod, 'disk'));
    expect({ mode: stats.mode & 0o7777, gid: stats.gid }).toEqual({ mode: 0o2777, gid: 4242 });
  });

  test('is made once: an agent that starts again changes nothing of it', async () => {
    const pod = podWith([
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
    ]);
    await on.volumes.setUp(pod, signal);
    for (const name of ['disk', 'memory']) {
      await writeFile(join(on.pathOf(pod, name), 'data'), name);
      await chmod(on.pathOf(pod, name), 0o700);
    }
    await on.newManager().setUp(pod, signal);
    for (const name of ['disk', 'memory']) {
      expect(await readFile(join(on.pathOf(pod, name), 'data'), 'utf8')).toBe(name);
      expect((await stat(on.pathOf(pod, name))).mode & 0o7777).toBe(0o700);
    }
    expect(await mountsIn(on.root)).toHaveLength(1);
  });

  test('in memory holds no more than its limit', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }]);
    await on.volumes.setUp(pod, signal);
    const path = on.pathOf(pod, 'memory');
    expect((await mountsIn(on.root)).map(({ fsType }) => fsType)).toEqual(['tmpfs']);
    const { blocks, bsize } = await statfs(path);
    expect(blocks * bsize).toBe(mib);
    await expect(writeFile(join(path, 'big'), Buffer.alloc(2 * mib))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
  });

  test('in memory is there again, empty and open, after a reboot', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await on.volumes.setUp(pod, signal);
    await run('/bin/umount', [on.pathOf(pod, 'memory')]);
    await on.newManager().setUp(pod, signal);
    expect(await mountsIn(on.root)).toHaveLength(1);
    expect((await stat(on.pathOf(pod, 'memory'))).mode & 0o7777).toBe(0o1777);
  });

  test.runIf(existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB'))(
    'of huge pages is a hugetlbfs of their size',
    async () => {
      const pod = podWith([{ name: 'huge', emptyDir: { medium: 'HugePages-2Mi' } }]);
      await on.volumes.setUp(pod, signal);
      await on.volumes.setUp(pod, signal);
      expect((await mountsIn(on.root)).map(({ fsType }) => fsType)).toEqual(['hugetlbfs']);
      expect((await statfs(on.pathOf(pod, 'huge'))).bsize).toBe(2 * mib);
    },
  );

  test('tells what it uses, blocks and not lengths, links counted once, where it has a limit', async () => {
    const pod = podWith([
      { name: 'limited', emptyDir: { sizeLimit: '10Mi' } },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'free', emptyDir: {} },
    ]);
    expect((await on.volumes.emptyDirUsage(pod, signal)).map(({ usedBytes }) => usedBytes)).toEqual([0, 0]);
    await on.volumes.setUp(pod, signal);
    const path = on.pathOf(pod, 'limited');
    await writeFile(join(path, 'file'), Buffer.alloc(mib, 1));
    await link(join(path, 'file'), join(path, 'same'));
    await symlink('/usr', join(path, 'elsewhere'));
    await using sparse = await open(join(path, 'sparse'), 'w');
    await sparse.truncate(100 * mib);
    await writeFile(join(on.pathOf(pod, 'memory'), 'file'), Buffer.alloc(mib / 2, 1));
    const [limited, memory, ...rest] = await on.volumes.emptyDirUsage(pod, signal);
    expect(rest).toEqual([]);
    expect(limited).toMatchObject({ volume: 'limited', sizeLimitBytes: 10 * mib });
    expect(limited?.usedBytes).toBeGreaterThanOrEqual(mib);
    expect(limited?.usedBytes).toBeLessThan(1.5 * mib);
    expect(memory).toMatchObject({ volume: 'memory', usedBytes: mib / 2 });
  });
});
