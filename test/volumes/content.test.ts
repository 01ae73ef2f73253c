import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { mountsIn, podWith, run, seen, signal, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('volumes that show content', () => {
  const all = () =>
    podWith([
      { name: 'cm', configMap: { name: 'settings' } },
      { name: 's', secret: { secretName: 'login', defaultMode: 0o400 } },
      {
        name: 'info',
        downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
      },
      {
        name: 'mix',
        projected: {
          sources: [
            { configMap: { name: 'settings', items: [{ key: 'rate', path: 'in/rate' }] } },
            { secret: { name: 'login' } },
            { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
          ],
        },
      },
    ]);

  beforeEach(() => {
    on.configMaps.settings = { data: { rate: '50' } };
    on.secrets.login = { data: { user: 'cm9z' } };
  });

  test('show it, secrets from memory, and refuse to be written by containers', async () => {
    const pod = all();
    await on.volumes.setUp(pod, signal);
    const read = (name: string, path: string) => readFile(join(on.pathOf(pod, name), path), 'utf8');
    expect(await read('cm', 'rate')).toBe('50');
    expect(await read('s', 'user')).toBe('ros');
    expect(await read('info', 'labels')).toBe('a="1"');
    expect(await Promise.all(['in/rate', 'user', 'name'].map((path) => read('mix', path)))).toEqual([
      '50',
      'ros',
      'p',
    ]);
    expect((await stat(join(on.pathOf(pod, 's'), 'user'))).mode & 0o7777).toBe(0o400);
    const inMemory = (await mountsIn(on.root))
      .filter(({ fsType }) => fsType === 'tmpfs')
      .map(({ path }) => path);
    expect(inMemory.sort()).toEqual(['info', 's', 'mix'].map((name) => on.pathOf(pod, name)).sort());
    expect(['cm', 's', 'info', 'mix'].map((name) => on.volumes.source(pod, name)?.readOnly)).toEqual(
      Array(4).fill(true),
    );
  });

  test('follow a change, and name the volumes that did', async () => {
    const pod = all();
    await on.volumes.setUp(pod, signal);
    expect(await on.volumes.refresh(pod, signal)).toEqual([]);
    on.configMaps.settings = { data: { rate: '100' } };
    expect((await on.volumes.refresh(pod, signal)).sort()).toEqual(['cm', 'mix']);
    expect(await readFile(join(on.pathOf(pod, 'cm'), 'rate'), 'utf8')).toBe('100');
    expect(await readFile(join(on.pathOf(pod, 'mix'), 'in/rate'), 'utf8')).toBe('100');
  });

  test('keep what they show when the object goes: a container may start again on it, the refresh tells', async () => {
    const pod = all();
    await on.volumes.setUp(pod, signal);
    on.configMaps = {};
    await on.newManager().setUp(pod, signal);
    expect(await readFile(join(on.pathOf(pod, 'cm'), 'rate'), 'utf8')).toBe('50');
    await expect(on.volumes.refresh(pod, signal)).rejects.toThrow('configmap "settings" not found');
  });

  test('wait for what is missing, all of it named, with nothing made', async () => {
    on.configMaps = {};
    on.secrets = {};
    const pod = all();
    const failure = on.volumes.setUp(pod, signal);
    await expect(failure).rejects.toMatchObject({ name: 'VolumeError', reason: 'FailedMount', isTold: true });
    await expect(failure).rejects.toThrow(
      /MountVolume\.SetUp failed for volume "cm" : configmap "settings" not found/,
    );
    await expect(failure).rejects.toThrow(
      /volume "mix" : \[configmap "settings" not found, secret "login" not found\]/,
    );
    expect((await mountsIn(on.root)).map(({ path }) => path)).toEqual([on.pathOf(pod, 'info')]);
  });

  test('that no container mounts are not missed', async () => {
    on.configMaps = {};
    const pod = all();
    pod.spec!.containers = [{ name: 'c', volumeMounts: [{ name: 's', mountPath: '/s' }] }];
    await on.volumes.setUp(pod, signal);
  });

  test('wait for what nobody tells of, too', async () => {
    on.configMaps = {};
    const device = { name: 'd', hostPath: { path: '/dev/not-there', type: 'CharDevice' } };
    const pod = podWith([device, { name: 'cm', configMap: { name: 'settings' } }]);
    await expect(on.volumes.setUp(pod, signal)).rejects.toMatchObject({ isTold: false });
  });

  test('need a cluster for some sources, and say so', async () => {
    const sources = [{ serviceAccountToken: { path: 'token' } }];
    await expect(on.volumes.setUp(podWith([{ name: 'v', projected: { sources } }]), signal)).rejects.toThrow(
      /projected source serviceAccountToken needs a cluster/,
    );
  });

  test.each([
    ['size=256k', 'size=2m', 'ENOSPC', { big: 'x'.repeat(300 * 1024) }],
    [
      'nr_inodes=24',
      'nr_inodes=200',
      'ENOSPC',
      Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, ''])),
    ],
    ['size=1m', 'rw', 'EROFS', {}],
  ])('survive a disk with %s, until it has %s', async (before, after, code, more) => {
    await run('/bin/mount', ['-t', 'tmpfs', '-o', before, 'tmpfs', on.podsDir]);
    const pod = podWith([{ name: 'cm', configMap: { name: 'settings' } }]);
    await on.volumes.setUp(pod, signal);
    if (code === 'EROFS') await run('/bin/mount', ['-o', 'remount,ro', on.podsDir]);
    on.configMaps.settings = { data: { rate: '100', ...more } };
    await expect(on.volumes.refresh(pod, signal)).rejects.toThrow(
      `MountVolume.SetUp failed for volume "cm" : ${code}`,
    );
    expect(await seen(on.pathOf(pod, 'cm'))).toEqual({ rate: '50' });
    expect((await readdir(on.pathOf(pod, 'cm'))).filter((name) => name.startsWith('..'))).toHaveLength(2);
    await run('/bin/mount', ['-o', `remount,${after}`, on.podsDir]);
    expect(await on.volumes.refresh(pod, signal)).toEqual(['cm']);
    expect(await seen(on.pathOf(pod, 'cm'))).toEqual({ rate: '100', ...more });
  });
});

test('a kind of volume that we do not have is refused by name', async () => {
  const pod = podWith([{ name: 'v', nfs: { server: 's', path: '/' } }]);
  await expect(on.volumes.setUp(pod, signal)).rejects.toThrow(
    /no volume plugin matched: roslet has none for nfs/,
  );
  // Who looks at the volumes of all pods is not stopped by it.
  expect(on.volumes.source(pod, 'v')).toBeUndefined();
});
