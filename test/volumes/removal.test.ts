import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, lstat, mkdir, open, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { mountsIn, podWith, run, seen, signal, uid, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('tearing down', () => {
  test('leaves what is not a volume; removing leaves nothing', async () => {
    on.secrets.login = { data: { user: 'cm9z' } };
    const pod = podWith([
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
      { name: 's', secret: { secretName: 'login' } },
    ]);
    await on.volumes.setUp(pod, signal);
    await on.volumes.bindSubPath(pod, 'memory', { container: 'c', index: 0, subPath: 'a' }, signal);
    await writeFile(join(on.podsDir, uid, 'etc-hosts'), '');
    expect(await on.volumes.podUids()).toEqual([uid]);
    await on.newManager().tearDown(uid, signal);
    expect(await mountsIn(on.root)).toEqual([]);
    expect(await readdir(join(on.podsDir, uid))).toEqual(['etc-hosts']);
    await on.volumes.removePodDir(uid, signal);
    expect(await on.volumes.podUids()).toEqual([]);
    await on.volumes.removePodDir(uid, signal);
  });

  test('is seen in what volumes there are, of pods that nobody wants any more, too', async () => {
    const pod = podWith([
      { name: 'disk', emptyDir: {} },
      { name: 'host', hostPath: { path: on.root } },
      { name: 'missing', secret: { secretName: 'none' } },
    ]);
    await expect(on.volumes.setUp(pod, signal)).rejects.toThrow('secret "none" not found');
    const counted = async (pods: Parameters<typeof on.volumes.volumes>[0]) =>
      (await on.newManager().volumes(pods)).map((each) => `${each.state.split('_')[0]} ${each.plugin_name}`);
    const desired = ['empty-dir', 'host-path', 'secret'].map((name) => `desired kubernetes.io/${name}`);
    expect(await counted([{ pod, isUp: false }])).toEqual([...desired, 'actual kubernetes.io/empty-dir']);
    expect(await counted([{ pod, isUp: true }])).toContain('actual kubernetes.io/host-path');
    expect(await counted([])).toEqual(['actual kubernetes.io/empty-dir']);
    await writeFile(join(on.podsDir, uid, 'volumes', 'stray'), '');
    expect(await counted([])).toEqual(['actual kubernetes.io/empty-dir']);
    await on.volumes.tearDown(uid, signal);
    expect(await counted([])).toEqual([]);
  });

  test('follows no link, of whatever a container left', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await on.volumes.setUp(pod, signal);
    await mkdir(join(on.root, 'precious'));
    await writeFile(join(on.root, 'precious', 'file'), '');
    await symlink('/', join(on.pathOf(pod, 'v'), 'root'));
    await symlink(join(on.root, 'precious'), join(on.pathOf(pod, 'v'), 'dir'));
    await symlink(join(on.root, 'precious', 'file'), join(on.pathOf(pod, 'v'), 'file'));
    await on.volumes.tearDown(uid, signal);
    expect(await readdir(join(on.root, 'precious'))).toEqual(['file']);
    await access('/etc/passwd');
  });

  test('unmounts what containers mounted, and deletes nothing through it', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await on.volumes.setUp(pod, signal);
    const precious = join(on.root, 'precious');
    await mkdir(join(precious, 'sub'), { recursive: true });
    await writeFile(join(precious, 'file'), '');
    // Twice on the same place, one inside of the other, on a file, and at a name with a blank.
    for (const name of ['m', 'm', 'm/sub', 'a b']) {
      await mkdir(join(on.pathOf(pod, 'v'), name), { recursive: true });
      await run('/bin/mount', ['--bind', precious, join(on.pathOf(pod, 'v'), name)]);
    }
    await writeFile(join(on.pathOf(pod, 'v'), 'f'), '');
    await run('/bin/mount', ['--bind', join(precious, 'file'), join(on.pathOf(pod, 'v'), 'f')]);
    await on.volumes.tearDown(uid, signal);
    expect(await mountsIn(on.root)).toEqual([]);
    expect((await readdir(precious)).sort()).toEqual(['file', 'sub']);
  });

  test('copes with mounts that come and go together, as they do where systemd made the root shared', async () => {
    await run('/bin/mount', ['-t', 'tmpfs', 'tmpfs', on.podsDir]);
    await run('/bin/mount', ['--make-shared', on.podsDir]);
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await on.volumes.setUp(pod, signal);
    for (const index of [0, 1]) {
      await on.volumes.bindSubPath(pod, 'v', { container: 'c', index, subPath: 'sub' }, signal);
    }
    await mkdir(join(on.pathOf(pod, 'v'), 'sub', 'm'));
    await run('/bin/mount', ['-t', 'tmpfs', 'tmpfs', join(on.pathOf(pod, 'v'), 'sub', 'm')]);
    expect((await mountsIn(on.podsDir)).length).toBe(5);
    await on.volumes.removePodDir(uid, signal);
    expect(await mountsIn(on.podsDir)).toEqual([]);
  });

  test('does not wait for one who still looks into a volume', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await on.volumes.setUp(pod, signal);
    await using held = await open(on.pathOf(pod, 'memory'), constants.O_RDONLY | constants.O_DIRECTORY);
    await on.volumes.removePodDir(uid, signal);
    expect(await mountsIn(on.root)).toEqual([]);
    expect((await held.stat()).isDirectory()).toBe(true);
  });

  test('works where the root directory is behind a link', async () => {
    await rename(on.podsDir, join(on.root, 'elsewhere'));
    await symlink('elsewhere', on.podsDir);
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await on.volumes.setUp(pod, signal);
    await on.volumes.setUp(pod, signal);
    expect(await mountsIn(on.root)).toHaveLength(1);
    await on.volumes.removePodDir(uid, signal);
    expect(await mountsIn(on.root)).toEqual([]);
    expect(await readdir(on.podsDir)).toEqual([]);
  });

  test.each(['', '.', '..', 'a/b', '/'])('of the uid %j is refused', async (strange) => {
    await mkdir(join(on.podsDir, uid));
    await expect(on.volumes.tearDown(strange, signal)).rejects.toThrow(/is not the uid of a pod/);
    await expect(on.volumes.removePodDir(strange, signal)).rejects.toThrow(/is not the uid of a pod/);
    expect((await lstat(join(on.podsDir, uid))).isDirectory()).toBe(true);
  });
});

test('an agent killed at any instant leaves nothing that the next one cannot complete, or remove', async () => {
  on.configMaps.settings = { data: { key: 'after' } };
  on.secrets.login = { stringData: { user: 'after' } };
  const pod = podWith([
    { name: 'cm', configMap: { name: 'settings' } },
    { name: 's', secret: { secretName: 'login' } },
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
  ]);
  const script = fileURLToPath(new URL('./churn.ts', import.meta.url));
  for (let round = 0; round < 20; round += 1) {
    // A group of its own, so that a mount that it just asked for ends with it.
    const agent = spawn(process.execPath, [script, on.podsDir, JSON.stringify(pod)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(agent, 'exit');
    await once(agent.stdout, 'data');
    await setTimeout(Math.random() * 300);
    process.kill(-agent.pid!, 'SIGKILL');
    expect((await exit)[1]).toBe('SIGKILL');

    await on.volumes.setUp(pod, signal);
    expect(await seen(on.pathOf(pod, 'cm'))).toEqual({ key: 'after' });
    expect(await seen(on.pathOf(pod, 's'))).toEqual({ user: 'after' });
    for (const [name, mode] of [
      ['disk', 0o777],
      ['memory', 0o1777],
    ] as const) {
      expect((await stat(on.pathOf(pod, name))).mode & 0o7777).toBe(mode);
    }
    await on.volumes.bindSubPath(pod, 'cm', { container: 'c', index: 0, subPath: 'key' }, signal);
    await on.volumes.removePodDir(uid, signal);
    expect(await mountsIn(on.root)).toEqual([]);
    expect(await readdir(on.podsDir)).toEqual([]);
  }
});
