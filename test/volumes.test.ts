/** Volumes on the real file system, with real mounts: needs root. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync } from 'node:fs';
import {
  access,
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigMap, Pod, Secret, Volume } from '../src/api/core.gen.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import type { ClaimSource, ObjectReader } from '../src/sources/source.ts';
import { type VolumeManager, volumeManager } from '../src/volumes/manager.ts';
import { mountPoints } from '../src/volumes/mount.ts';

const run = promisify(execFile);
const signal = new AbortController().signal;
const uid = '5c1c6a5e-volumes-test';
const mib = 1024 ** 2;

let root: string;
let podsDir: string;
let configMaps: Record<string, ConfigMap>;
let secrets: Record<string, Secret>;
let volumes: VolumeManager;

const objects: ObjectReader = {
  configMap: async (_, name) => configMaps[name],
  secret: async (_, name) => secrets[name],
  onObjectChange: () => () => {},
};

const newManager = (dir = podsDir): VolumeManager =>
  volumeManager({
    podsDir: dir,
    objects,
    allocatable: () => ({ cpu: 1000, memory: 64 * mib }),
    metrics: createMetrics(),
  });

const podWith = (list: Volume[], fsGroup?: number): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid, labels: { a: '1' } },
  spec: {
    securityContext: { fsGroup },
    containers: [{ name: 'c', volumeMounts: list.map(({ name }) => ({ name, mountPath: `/${name}` })) }],
    volumes: list,
  },
});

const pathOf = (pod: Pod, name: string): string => volumes.source(pod, name)!.hostPath;

const mountsIn = async (dir: string) =>
  (await mountPoints()).filter(({ path }) => path.startsWith(`${dir}/`));

beforeEach(async () => {
  root = await mkdtemp('/tmp/roslet-volumes-');
  podsDir = join(root, 'pods');
  await mkdir(podsDir);
  configMaps = {};
  secrets = {};
  volumes = newManager();
});

afterEach(async () => {
  for (const { path } of (await mountsIn(root)).reverse()) await run('/bin/umount', ['--lazy', path]);
  await rm(root, { recursive: true });
});

describe('an emptyDir', () => {
  test('is open to all, and to the fsGroup by inheritance', async () => {
    const pod = podWith([{ name: 'disk', emptyDir: {} }], 4242);
    await volumes.setUp(pod, signal);
    const stats = await stat(pathOf(pod, 'disk'));
    expect({ mode: stats.mode & 0o7777, gid: stats.gid }).toEqual({ mode: 0o2777, gid: 4242 });
  });

  test('is made once: an agent that starts again changes nothing of it', async () => {
    const pod = podWith([
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
    ]);
    await volumes.setUp(pod, signal);
    for (const name of ['disk', 'memory']) {
      await writeFile(join(pathOf(pod, name), 'data'), name);
      await chmod(pathOf(pod, name), 0o700);
    }
    await newManager().setUp(pod, signal);
    for (const name of ['disk', 'memory']) {
      expect(await readFile(join(pathOf(pod, name), 'data'), 'utf8')).toBe(name);
      expect((await stat(pathOf(pod, name))).mode & 0o7777).toBe(0o700);
    }
    expect(await mountsIn(root)).toHaveLength(1);
  });

  test('in memory holds no more than its limit', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }]);
    await volumes.setUp(pod, signal);
    const path = pathOf(pod, 'memory');
    expect((await mountsIn(root)).map(({ fsType }) => fsType)).toEqual(['tmpfs']);
    const { blocks, bsize } = await statfs(path);
    expect(blocks * bsize).toBe(mib);
    await expect(writeFile(join(path, 'big'), Buffer.alloc(2 * mib))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
  });

  test('in memory is there again, empty and open, after a reboot', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await volumes.setUp(pod, signal);
    await run('/bin/umount', [pathOf(pod, 'memory')]);
    await newManager().setUp(pod, signal);
    expect(await mountsIn(root)).toHaveLength(1);
    expect((await stat(pathOf(pod, 'memory'))).mode & 0o7777).toBe(0o1777);
  });

  test.runIf(existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB'))(
    'of huge pages is a hugetlbfs of their size',
    async () => {
      const pod = podWith([{ name: 'huge', emptyDir: { medium: 'HugePages-2Mi' } }]);
      await volumes.setUp(pod, signal);
      await volumes.setUp(pod, signal);
      expect((await mountsIn(root)).map(({ fsType }) => fsType)).toEqual(['hugetlbfs']);
      expect((await statfs(pathOf(pod, 'huge'))).bsize).toBe(2 * mib);
    },
  );

  test('tells what it uses, blocks and not lengths, links counted once, where it has a limit', async () => {
    const pod = podWith([
      { name: 'limited', emptyDir: { sizeLimit: '10Mi' } },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'free', emptyDir: {} },
    ]);
    expect((await volumes.emptyDirUsage(pod, signal)).map(({ usedBytes }) => usedBytes)).toEqual([0, 0]);
    await volumes.setUp(pod, signal);
    const path = pathOf(pod, 'limited');
    await writeFile(join(path, 'file'), Buffer.alloc(mib, 1));
    await link(join(path, 'file'), join(path, 'same'));
    await symlink('/usr', join(path, 'elsewhere'));
    await using sparse = await open(join(path, 'sparse'), 'w');
    await sparse.truncate(100 * mib);
    await writeFile(join(pathOf(pod, 'memory'), 'file'), Buffer.alloc(mib / 2, 1));
    const [limited, memory, ...rest] = await volumes.emptyDirUsage(pod, signal);
    expect(rest).toEqual([]);
    expect(limited).toMatchObject({ volume: 'limited', sizeLimitBytes: 10 * mib });
    expect(limited?.usedBytes).toBeGreaterThanOrEqual(mib);
    expect(limited?.usedBytes).toBeLessThan(1.5 * mib);
    expect(memory).toMatchObject({ volume: 'memory', usedBytes: mib / 2 });
  });
});

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
    configMaps.settings = { data: { rate: '50' } };
    secrets.login = { data: { user: 'cm9z' } };
  });

  test('show it, secrets from memory, and refuse to be written by containers', async () => {
    const pod = all();
    await volumes.setUp(pod, signal);
    const read = (name: string, path: string) => readFile(join(pathOf(pod, name), path), 'utf8');
    expect(await read('cm', 'rate')).toBe('50');
    expect(await read('s', 'user')).toBe('ros');
    expect(await read('info', 'labels')).toBe('a="1"');
    expect(await Promise.all(['in/rate', 'user', 'name'].map((path) => read('mix', path)))).toEqual([
      '50',
      'ros',
      'p',
    ]);
    expect((await stat(join(pathOf(pod, 's'), 'user'))).mode & 0o7777).toBe(0o400);
    const inMemory = (await mountsIn(root))
      .filter(({ fsType }) => fsType === 'tmpfs')
      .map(({ path }) => path);
    expect(inMemory.sort()).toEqual(['info', 's', 'mix'].map((name) => pathOf(pod, name)).sort());
    expect(['cm', 's', 'info', 'mix'].map((name) => volumes.source(pod, name)?.readOnly)).toEqual(
      Array(4).fill(true),
    );
  });

  test('follow a change, and name the volumes that did', async () => {
    const pod = all();
    await volumes.setUp(pod, signal);
    expect(await volumes.refresh(pod, signal)).toEqual([]);
    configMaps.settings = { data: { rate: '100' } };
    expect((await volumes.refresh(pod, signal)).sort()).toEqual(['cm', 'mix']);
    expect(await readFile(join(pathOf(pod, 'cm'), 'rate'), 'utf8')).toBe('100');
    expect(await readFile(join(pathOf(pod, 'mix'), 'in/rate'), 'utf8')).toBe('100');
  });

  test('keep what they show when the object goes: a container may start again on it, the refresh tells', async () => {
    const pod = all();
    await volumes.setUp(pod, signal);
    configMaps = {};
    await newManager().setUp(pod, signal);
    expect(await readFile(join(pathOf(pod, 'cm'), 'rate'), 'utf8')).toBe('50');
    await expect(volumes.refresh(pod, signal)).rejects.toThrow('configmap "settings" not found');
  });

  test('wait for what is missing, all of it named, with nothing made', async () => {
    configMaps = {};
    secrets = {};
    const pod = all();
    const failure = volumes.setUp(pod, signal);
    await expect(failure).rejects.toMatchObject({ name: 'VolumeError', reason: 'FailedMount' });
    await expect(failure).rejects.toThrow(
      /MountVolume\.SetUp failed for volume "cm" : configmap "settings" not found/,
    );
    await expect(failure).rejects.toThrow(
      /volume "mix" : \[configmap "settings" not found, secret "login" not found\]/,
    );
    expect((await mountsIn(root)).map(({ path }) => path)).toEqual([pathOf(pod, 'info')]);
  });

  test('that no container mounts are not missed', async () => {
    configMaps = {};
    const pod = all();
    pod.spec!.containers = [{ name: 'c', volumeMounts: [{ name: 's', mountPath: '/s' }] }];
    await volumes.setUp(pod, signal);
  });

  test('need a cluster for some sources, and say so', async () => {
    const sources = [{ serviceAccountToken: { path: 'token' } }];
    await expect(volumes.setUp(podWith([{ name: 'v', projected: { sources } }]), signal)).rejects.toThrow(
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
    await run('/bin/mount', ['-t', 'tmpfs', '-o', before, 'tmpfs', podsDir]);
    const pod = podWith([{ name: 'cm', configMap: { name: 'settings' } }]);
    await volumes.setUp(pod, signal);
    if (code === 'EROFS') await run('/bin/mount', ['-o', 'remount,ro', podsDir]);
    configMaps.settings = { data: { rate: '100', ...more } };
    await expect(volumes.refresh(pod, signal)).rejects.toThrow(
      `MountVolume.SetUp failed for volume "cm" : ${code}`,
    );
    expect(await seen(pathOf(pod, 'cm'))).toEqual({ rate: '50' });
    expect((await readdir(pathOf(pod, 'cm'))).filter((name) => name.startsWith('..'))).toHaveLength(2);
    await run('/bin/mount', ['-o', `remount,${after}`, podsDir]);
    expect(await volumes.refresh(pod, signal)).toEqual(['cm']);
    expect(await seen(pathOf(pod, 'cm'))).toEqual({ rate: '100', ...more });
  });
});

test('a kind of volume that we do not have is refused by name', async () => {
  const pod = podWith([{ name: 'v', nfs: { server: 's', path: '/' } }]);
  await expect(volumes.setUp(pod, signal)).rejects.toThrow(
    /no volume plugin matched: roslet has none for nfs/,
  );
  // Who looks at the volumes of all pods is not stopped by it.
  expect(volumes.source(pod, 'v')).toBeUndefined();
});

describe('a hostPath', () => {
  const setUp = (path: string, type?: string) =>
    volumes.setUp(podWith([{ name: 'v', hostPath: { path, type } }]), signal);

  beforeEach(async () => {
    await mkdir(join(root, 'dir'));
    await writeFile(join(root, 'file'), 'kept');
    await symlink('dir', join(root, 'link'));
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
    await setUp(join(root, path), type);
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
    await expect(setUp(join(root, path), type)).rejects.toThrow(message);
  });

  test('is made where it may be', async () => {
    await setUp(join(root, 'new', 'dir'), 'DirectoryOrCreate');
    expect((await stat(join(root, 'new', 'dir'))).mode & 0o7777).toBe(0o755);
    await setUp(join(root, 'new', 'file'), 'FileOrCreate');
    expect((await stat(join(root, 'new', 'file'))).mode & 0o7777).toBe(0o644);
  });

  test('may be a socket', async () => {
    const server = createServer().listen(join(root, 'socket'));
    await once(server, 'listening');
    await setUp(join(root, 'socket'), 'Socket');
    server.close();
  });

  test('is never removed', async () => {
    const pod = podWith([{ name: 'v', hostPath: { path: join(root, 'dir') } }]);
    await writeFile(join(root, 'dir', 'precious'), '');
    await volumes.setUp(pod, signal);
    await volumes.bindSubPath(pod, 'v', { container: 'c', index: 0, subPath: 'precious' }, signal);
    await volumes.removePodDir(uid, signal);
    await access(join(root, 'dir', 'precious'));
    expect(await mountsIn(root)).toEqual([]);
  });
});

describe('a claim', () => {
  const pod = podWith([{ name: 'v', persistentVolumeClaim: { claimName: 'maps' } }]);
  /** Of a cluster that may be out of reach. */
  const managerOf = (claimSource: () => Promise<ClaimSource>): VolumeManager =>
    volumeManager({
      podsDir,
      objects,
      allocatable: () => ({}),
      metrics: createMetrics(),
      cluster: { claimSource, token: () => Promise.reject(new Error('nobody asks for a token here')) },
    });
  const isReached = async (): Promise<ClaimSource> => ({ path: join(root, 'maps'), kind: 'hostPath' });
  const isGone = () => Promise.reject(new Error('the cluster is out of reach'));

  beforeEach(async () => {
    await mkdir(join(root, 'maps'));
    await writeFile(join(root, 'maps', 'hall'), '');
    await managerOf(isReached).setUp(pod, signal);
    // As a reboot does.
    await run('/bin/umount', [pathOf(pod, 'v')]);
  });

  test('is found again after a reboot out of reach of the cluster', async () => {
    await managerOf(isGone).setUp(pod, signal);
    expect(await readdir(pathOf(pod, 'v'))).toEqual(['hall']);
  });

  test.each(['', '{"path":"/sr', 'null', '7', '{"path":7,"kind":"local"}'])(
    'of which %j is noted is asked for again',
    async (torn) => {
      await writeFile(join(podsDir, uid, 'plugins/kubernetes.io~local-volume/v/source'), torn);
      await expect(managerOf(isGone).setUp(pod, signal)).rejects.toThrow('the cluster is out of reach');
      await managerOf(isReached).setUp(pod, signal);
      expect(await readdir(pathOf(pod, 'v'))).toEqual(['hall']);
      await run('/bin/umount', [pathOf(pod, 'v')]);
      await managerOf(isGone).setUp(pod, signal);
    },
  );
});

describe('a subPath', () => {
  let pod: Pod;
  let inside: string;
  const bind = (subPath: string, name = 'v', index = 0) =>
    volumes.bindSubPath(pod, name, { container: 'c', index, subPath }, signal);

  beforeEach(async () => {
    configMaps.settings = { data: { rate: '50' } };
    pod = podWith([
      { name: 'v', emptyDir: {} },
      { name: 'cm', configMap: { name: 'settings' } },
    ]);
    await volumes.setUp(pod, signal);
    inside = pathOf(pod, 'v');
    await mkdir(join(root, 'outside'));
    await writeFile(join(root, 'outside', 'secret'), '');
  });

  test('is bound, made if need be as open as its volume, and bound once', async () => {
    const target = await bind('a/b');
    expect((await stat(target)).mode & 0o7777).toBe(0o777);
    await writeFile(join(inside, 'a', 'b', 'file'), '');
    expect(await readdir(target)).toEqual(['file']);
    expect(await bind('a/b')).toBe(target);
    expect(await mountsIn(root)).toHaveLength(1);
  });

  test('may be a file, and be seen through the links of a config map', async () => {
    expect(await readFile(await bind('rate', 'cm'), 'utf8')).toBe('50');
  });

  test('of a config map that changed is bound anew, for the next start of its container', async () => {
    const target = await bind('rate', 'cm');
    configMaps.settings = { data: { rate: '100' } };
    await volumes.refresh(pod, signal);
    expect(await readFile(target, 'utf8')).toBe('50');
    expect(await bind('rate', 'cm')).toBe(target);
    expect(await readFile(target, 'utf8')).toBe('100');
    expect(await mountsIn(root)).toHaveLength(1);
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
      await symlink(join(root, 'outside'), join(inside, 'absolute'));
      await symlink('absolute', join(inside, 'chain'));
      await mkdir(join(inside, 'a'));
      await expect(bind(subPath)).rejects.toThrow(/leads out of its volume/);
      expect(await mountsIn(root)).toEqual([]);
      expect(await readdir(join(root, 'outside'))).toEqual(['secret']);
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
    await mkdir(join(root, 'outside', 'y'));
    await writeFile(join(root, 'outside', 'y', 'secret'), '');
    await symlink(join(root, 'outside'), join(inside, 'trap'));
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
    expect(await readdir(join(root, 'outside'))).toEqual(['secret', 'y']);
    expect(await readdir(join(root, 'outside', 'y'))).toEqual(['secret']);
  });
});

describe('tearing down', () => {
  test('leaves what is not a volume; removing leaves nothing', async () => {
    secrets.login = { data: { user: 'cm9z' } };
    const pod = podWith([
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
      { name: 's', secret: { secretName: 'login' } },
    ]);
    await volumes.setUp(pod, signal);
    await volumes.bindSubPath(pod, 'memory', { container: 'c', index: 0, subPath: 'a' }, signal);
    await writeFile(join(podsDir, uid, 'etc-hosts'), '');
    expect(await volumes.podUids()).toEqual([uid]);
    await newManager().tearDown(uid, signal);
    expect(await mountsIn(root)).toEqual([]);
    expect(await readdir(join(podsDir, uid))).toEqual(['etc-hosts']);
    await volumes.removePodDir(uid, signal);
    expect(await volumes.podUids()).toEqual([]);
    await volumes.removePodDir(uid, signal);
  });

  test('follows no link, of whatever a container left', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await volumes.setUp(pod, signal);
    await mkdir(join(root, 'precious'));
    await writeFile(join(root, 'precious', 'file'), '');
    await symlink('/', join(pathOf(pod, 'v'), 'root'));
    await symlink(join(root, 'precious'), join(pathOf(pod, 'v'), 'dir'));
    await symlink(join(root, 'precious', 'file'), join(pathOf(pod, 'v'), 'file'));
    await volumes.tearDown(uid, signal);
    expect(await readdir(join(root, 'precious'))).toEqual(['file']);
    await access('/etc/passwd');
  });

  test('unmounts what containers mounted, and deletes nothing through it', async () => {
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await volumes.setUp(pod, signal);
    const precious = join(root, 'precious');
    await mkdir(join(precious, 'sub'), { recursive: true });
    await writeFile(join(precious, 'file'), '');
    // Twice on the same place, one inside of the other, on a file, and at a name with a blank.
    for (const name of ['m', 'm', 'm/sub', 'a b']) {
      await mkdir(join(pathOf(pod, 'v'), name), { recursive: true });
      await run('/bin/mount', ['--bind', precious, join(pathOf(pod, 'v'), name)]);
    }
    await writeFile(join(pathOf(pod, 'v'), 'f'), '');
    await run('/bin/mount', ['--bind', join(precious, 'file'), join(pathOf(pod, 'v'), 'f')]);
    await volumes.tearDown(uid, signal);
    expect(await mountsIn(root)).toEqual([]);
    expect((await readdir(precious)).sort()).toEqual(['file', 'sub']);
  });

  test('copes with mounts that come and go together, as they do where systemd made the root shared', async () => {
    await run('/bin/mount', ['-t', 'tmpfs', 'tmpfs', podsDir]);
    await run('/bin/mount', ['--make-shared', podsDir]);
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    await volumes.setUp(pod, signal);
    for (const index of [0, 1]) {
      await volumes.bindSubPath(pod, 'v', { container: 'c', index, subPath: 'sub' }, signal);
    }
    await mkdir(join(pathOf(pod, 'v'), 'sub', 'm'));
    await run('/bin/mount', ['-t', 'tmpfs', 'tmpfs', join(pathOf(pod, 'v'), 'sub', 'm')]);
    expect((await mountsIn(podsDir)).length).toBe(5);
    await volumes.removePodDir(uid, signal);
    expect(await mountsIn(podsDir)).toEqual([]);
  });

  test('does not wait for one who still looks into a volume', async () => {
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await volumes.setUp(pod, signal);
    await using held = await open(pathOf(pod, 'memory'), constants.O_RDONLY | constants.O_DIRECTORY);
    await volumes.removePodDir(uid, signal);
    expect(await mountsIn(root)).toEqual([]);
    expect((await held.stat()).isDirectory()).toBe(true);
  });

  test('works where the root directory is behind a link', async () => {
    await rename(podsDir, join(root, 'elsewhere'));
    await symlink('elsewhere', podsDir);
    const pod = podWith([{ name: 'memory', emptyDir: { medium: 'Memory' } }]);
    await volumes.setUp(pod, signal);
    await volumes.setUp(pod, signal);
    expect(await mountsIn(root)).toHaveLength(1);
    await volumes.removePodDir(uid, signal);
    expect(await mountsIn(root)).toEqual([]);
    expect(await readdir(podsDir)).toEqual([]);
  });

  test.each(['', '.', '..', 'a/b', '/'])('of the uid %j is refused', async (strange) => {
    await mkdir(join(podsDir, uid));
    await expect(volumes.tearDown(strange, signal)).rejects.toThrow(/is not the uid of a pod/);
    await expect(volumes.removePodDir(strange, signal)).rejects.toThrow(/is not the uid of a pod/);
    expect((await lstat(join(podsDir, uid))).isDirectory()).toBe(true);
  });
});

test('an agent killed at any instant leaves nothing that the next one cannot complete, or remove', async () => {
  configMaps.settings = { data: { key: 'after' } };
  secrets.login = { stringData: { user: 'after' } };
  const pod = podWith([
    { name: 'cm', configMap: { name: 'settings' } },
    { name: 's', secret: { secretName: 'login' } },
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
  ]);
  const script = fileURLToPath(new URL('./volumes-churn.ts', import.meta.url));
  for (let round = 0; round < 20; round += 1) {
    // A group of its own, so that a mount that it just asked for ends with it.
    const agent = spawn(process.execPath, [script, podsDir, JSON.stringify(pod)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(agent, 'exit');
    await once(agent.stdout, 'data');
    await setTimeout(Math.random() * 300);
    process.kill(-agent.pid!, 'SIGKILL');
    expect((await exit)[1]).toBe('SIGKILL');

    await volumes.setUp(pod, signal);
    expect(await seen(pathOf(pod, 'cm'))).toEqual({ key: 'after' });
    expect(await seen(pathOf(pod, 's'))).toEqual({ user: 'after' });
    for (const [name, mode] of [
      ['disk', 0o777],
      ['memory', 0o1777],
    ] as const) {
      expect((await stat(pathOf(pod, name))).mode & 0o7777).toBe(mode);
    }
    await volumes.bindSubPath(pod, 'cm', { container: 'c', index: 0, subPath: 'key' }, signal);
    await volumes.removePodDir(uid, signal);
    expect(await mountsIn(root)).toEqual([]);
    expect(await readdir(podsDir)).toEqual([]);
  }
});

async function seen(dir: string): Promise<Record<string, string>> {
  const names = (await readdir(dir)).filter((name) => !name.startsWith('..'));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const)),
  );
}

/** Exchanges the directory x with a link that leads out, as fast as it can (renameat2, which Node does not have). */
function attack(dir: string): ChildProcess {
  const renameat2 = process.arch === 'arm64' ? 276 : 316;
  const program = `
    my ($x, $trap) = ("x", "trap");
    chdir shift;
    for (;;) { syscall(${renameat2}, -100, $x, -100, $trap, 2) == 0 or die $! }`;
  return spawn('/usr/bin/perl', ['-e', program, dir], { stdio: 'inherit' });
}
