import { once } from 'node:events';
import { access, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { mountsIn, podWith, signal, uid, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('a hostPath', () => {
  const setUp = (path: string, type?: string) =>
    on.volumes.setUp(podWith([{ name: 'v', hostPath: { path, type } }]), signal);

  beforeEach(async () => {
    await mkdir(join(on.root, 'dir'));
    await writeFile(join(on.root, 'file'), 'kept');
    await symlink('dir', join(on.root, 'link'));
  });

  test.each([
    ['dir', 'Directory'],
    ['link', 'Directory'],
    ['file', 'File'],
    ['dir', 'DirectoryOrCreate'],
    ['file', 'FileOrCreate'],
    ['nothing', ''],
    ['nothing', undefined],
    ['../../dev/null', 'CharDevice'],
  ])('%s is taken as %s', async (path, type) => {
    await setUp(join(on.root, path), type);
  });

  test.each([
    ['file', 'Directory', 'is not a directory'],
    ['nothing', 'Directory', 'is not a directory'],
    ['file', 'DirectoryOrCreate', ''],
    ['dir', 'File', 'is not a file'],
    ['nothing', 'File', 'is not a file'],
    ['dir', 'FileOrCreate', 'is not a file'],
    ['file', 'Socket', 'is not a socket file'],
    ['file', 'CharDevice', 'is not a character device'],
    ['../../dev/null', 'BlockDevice', 'is not a block device'],
    ['dir', 'Folder', 'is not a type of hostPath'],
    ['nothing/file', 'FileOrCreate', 'ENOENT'],
  ])('%s is refused as %s', async (path, type, message) => {
    await expect(setUp(join(on.root, path), type)).rejects.toThrow(message);
  });

  test('is made where it may be', async () => {
    await setUp(join(on.root, 'new', 'dir'), 'DirectoryOrCreate');
    expect((await stat(join(on.root, 'new', 'dir'))).mode & 0o7777).toBe(0o755);
    await setUp(join(on.root, 'new', 'file'), 'FileOrCreate');
    expect((await stat(join(on.root, 'new', 'file'))).mode & 0o7777).toBe(0o644);
  });

  test('may be a socket', async () => {
    const server = createServer().listen(join(on.root, 'socket'));
    await once(server, 'listening');
    await setUp(join(on.root, 'socket'), 'Socket');
    server.close();
  });

  test('is never removed', async () => {
    const pod = podWith([{ name: 'v', hostPath: { path: join(on.root, 'dir') } }]);
    await writeFile(join(on.root, 'dir', 'precious'), '');
    await on.volumes.setUp(pod, signal);
    await on.volumes.bindSubPath(pod, 'v', { container: 'c', index: 0, subPath: 'precious' }, signal);
    await on.volumes.removePodDir(uid, signal);
    await access(join(on.root, 'dir', 'precious'));
    expect(await mountsIn(on.root)).toEqual([]);
  });
});
