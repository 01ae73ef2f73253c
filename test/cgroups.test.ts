/** The cgroup tree of pods on this machine's own kernel, below a root of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Pod, ResourceRequirements } from '../src/api/core.gen.ts';
import { silentLogger } from '../src/log.ts';
import { detectLayout } from '../src/resources/cgroup-layout.ts';
import { removeCgroups } from '../src/resources/cgroup-tree.ts';
import { type CgroupManager, type CgroupOptions, createCgroupManager } from '../src/resources/cgroups.ts';

const cgroupRoot = `/roslet-test-resources-${process.pid}`;
const mib = 2 ** 20;

const optionsFor = (more: Partial<CgroupOptions> = {}): CgroupOptions => ({
  driver: 'cgroupfs',
  cgroupRoot,
  cgroupsPerQos: true,
  podPidsLimit: 32,
  context: { hugepageSizes: [], cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100_000 },
  log: silentLogger(),
  signal: new AbortController().signal,
  ...more,
});

const podWith = (uid: string, resources: ResourceRequirements): Pod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: { containers: [{ name: 'main', resources }] },
});
const burstable = (uid: string) =>
  podWith(uid, { requests: { cpu: '250m', memory: '8Mi' }, limits: { cpu: '500m', memory: '16Mi' } });
const guaranteed = (uid: string) => {
  const amounts = { cpu: '1', memory: '32Mi' };
  return podWith(uid, { requests: amounts, limits: amounts });
};

const { hierarchies, version } = await detectLayout();

describe('the cgroups of pods', () => {
  let manager: CgroupManager;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    manager = await createCgroupManager(optionsFor());
    await manager.ensureNode({ cpu: 2000, memory: 512 * mib, pid: 500 });
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => removeCgroups(hierarchies.map(({ dir }) => join(dir, cgroupRoot))));

  const directories = (path: string) => hierarchies.map(({ dir }) => join(dir, path));
  const directoryOf = (controller: string, path: string) =>
    join(hierarchies.find(({ controllers }) => controllers.includes(controller))?.dir ?? '', path);
  const control = async (controller: string, path: string, v1File: string, v2File: string) =>
    (await readFile(join(directoryOf(controller, path), version === 1 ? v1File : v2File), 'utf8')).trim();
  const exists = async (dir: string) => (await readdir(dir).catch(() => undefined)) !== undefined;
  const sleeper = () => {
    const child = spawn('sleep', ['1000']);
    children.push(child);
    return child;
  };
  const enter = async (path: string, child: ChildProcess) => {
    for (const dir of directories(path)) {
      await mkdir(dir, { recursive: true });
      if (version === 1 && dir.startsWith(directoryOf('cpuset', '/'))) {
        for (const file of ['cpuset.cpus', 'cpuset.mems']) {
          await writeFile(join(dir, file), await readFile(join(dir, '..', file)));
        }
      }
      await writeFile(join(dir, 'cgroup.procs'), `${child.pid}`);
    }
  };

  it('hold all pods together to what the node gives them', async () => {
    const pods = `${cgroupRoot}/kubepods`;
    expect(await control('memory', pods, 'memory.limit_in_bytes', 'memory.max')).toBe(`${512 * mib}`);
    expect(await control('pids', pods, 'pids.max', 'pids.max')).toBe('500');
    expect(await control('cpu', pods, 'cpu.shares', 'cpu.weight')).toBe(version === 1 ? '2048' : '79');
  });

  it('are below the class of their pod, in every hierarchy', async () => {
    const paths = [
      await manager.ensurePod(burstable('in-burstable')),
      await manager.ensurePod(guaranteed('in-guaranteed')),
      await manager.ensurePod(podWith('in-besteffort', {})),
    ];
    expect(paths).toEqual([
      `${cgroupRoot}/kubepods/burstable/podin-burstable`,
      `${cgroupRoot}/kubepods/podin-guaranteed`,
      `${cgroupRoot}/kubepods/besteffort/podin-besteffort`,
    ]);
    for (const dir of paths.flatMap(directories)) expect(await exists(dir), dir).toBe(true);
  });

  it('of any process can be measured', async () => {
    const child = sleeper();
    await enter(`${cgroupRoot}/service`, child);
    const measured = await manager.processStats(child.pid!);
    expect(measured?.path).toBe(`${cgroupRoot}/service`);
    expect(measured?.stats).toMatchObject({ processCount: 1, cpuUsageCoreNanoSeconds: expect.any(BigInt) });
  });

  it('carry the limits of their pod', async () => {
    const path = await manager.ensurePod(burstable('limited'));
    expect(await control('memory', path, 'memory.limit_in_bytes', 'memory.max')).toBe(`${16 * mib}`);
    expect(await control('pids', path, 'pids.max', 'pids.max')).toBe('32');
    expect(await control('cpu', path, 'cpu.shares', 'cpu.weight')).toBe(version === 1 ? '256' : '10');
    expect(await control('cpu', path, 'cpu.cfs_quota_us', 'cpu.max')).toBe(
      version === 1 ? '50000' : '50000 100000',
    );
  });

  it('are the same when made again, and follow a changed limit', async () => {
    const before = await manager.ensurePod(burstable('again'));
    const child = sleeper();
    await enter(`${before}/main`, child);
    const changed = podWith('again', { requests: { cpu: '250m' }, limits: { cpu: '1', memory: '24Mi' } });
    expect(await manager.ensurePod(changed)).toBe(before);
    expect(await manager.pids('again')).toEqual([child.pid]);
    expect(await control('memory', before, 'memory.limit_in_bytes', 'memory.max')).toBe(`${24 * mib}`);
  });

  it('give burstable pods together the cpu that they ask for', async () => {
    await manager.updateQos([burstable('a'), burstable('b'), guaranteed('c'), podWith('d', {})]);
    const qos = `${cgroupRoot}/kubepods/burstable`;
    expect(await control('cpu', qos, 'cpu.shares', 'cpu.weight')).toBe(version === 1 ? '512' : '20');
  });

  it('are killed and gone from every hierarchy when the pod is removed', async () => {
    const path = await manager.ensurePod(burstable('removed'));
    const [first, second] = [sleeper(), sleeper()];
    const gone = [once(first, 'exit'), once(second, 'exit')];
    await enter(`${path}/main`, first);
    await enter(`${path}/main/nested`, second);
    expect(await manager.pids('removed')).toEqual([first.pid, second.pid].sort());
    await manager.removePod('removed');
    expect((await Promise.all(gone)).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL']);
    for (const dir of directories(path)) expect(await exists(dir), dir).toBe(false);
    await expect(manager.removePod('removed')).resolves.toBeUndefined();
  });

  it('are removed while their processes fork', async () => {
    const path = await manager.ensurePod(burstable('forking'));
    const child = spawn('sh', ['-c', 'while :; do sh -c "sleep 0.01 & sleep 0.01" & done'], {
      stdio: 'ignore',
    });
    children.push(child);
    await enter(`${path}/main`, child);
    await expect.poll(async () => (await manager.pids('forking')).length).toBeGreaterThan(5);
    await manager.removePod('forking');
    for (const dir of directories(path)) expect(await exists(dir), dir).toBe(false);
  });

  it('are removed when their processes are frozen', async () => {
    const path = await manager.ensurePod(burstable('frozen'));
    const child = sleeper();
    await enter(`${path}/main`, child);
    const [controller, file, value] =
      version === 1 ? ['freezer', 'freezer.state', 'FROZEN'] : ['cpu', 'cgroup.freeze', '1'];
    await writeFile(join(directoryOf(controller, `${path}/main`), file), value);
    await manager.removePod('frozen');
    for (const dir of directories(path)) expect(await exists(dir), dir).toBe(false);
  });

  it('are found again when they are left in one hierarchy alone', async () => {
    for (const [index, { dir }] of hierarchies.entries()) {
      await mkdir(join(dir, cgroupRoot, 'kubepods/burstable', `podleft-${index}`));
    }
    const left = (await manager.podUids()).filter((uid) => uid.startsWith('left-'));
    expect(left.sort()).toEqual(hierarchies.map((_, index) => `left-${index}`).sort());
    for (const uid of left) await manager.removePod(uid);
    expect((await manager.podUids()).filter((uid) => uid.startsWith('left-'))).toEqual([]);
  });

  it('say what their pod uses', async () => {
    const path = await manager.ensurePod(burstable('measured'));
    await enter(`${path}/main`, sleeper());
    const stats = await manager.podStats('measured');
    expect(stats?.processCount).toBe(1);
    expect(stats?.memoryUsageBytes).toBeTypeOf('number');
    expect(stats?.cpuUsageCoreNanoSeconds).toBeTypeOf('bigint');
    expect(await manager.podStats('no-such-pod')).toBeUndefined();
  });

  it('stop a pod that takes more memory than it may', async () => {
    const path = await manager.ensurePod(burstable('greedy'));
    // Waits for a line, so that it is in the cgroup before it takes memory.
    const child = spawn('sh', ['-c', 'read _; exec tail /dev/zero']);
    children.push(child);
    const exit = once(child, 'exit');
    await enter(`${path}/main`, child);
    child.stdin?.end('\n');
    expect((await exit)[1]).toBe('SIGKILL');
  });

  it('stop a pod that starts more processes than it may', async () => {
    const path = await manager.ensurePod(podWith('forks', {}));
    const child = spawn(
      'sh',
      ['-c', 'read _; i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; wait'],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    children.push(child);
    await enter(`${path}/main`, child);
    const refused = new Promise<void>((resolve) => {
      let stderr = '';
      child.stderr?.on('data', (chunk) => {
        stderr += chunk;
        if (/cannot fork/i.test(stderr)) resolve();
      });
    });
    child.stdin?.end('\n');
    await refused;
    expect((await manager.pids('forks')).length).toBeLessThanOrEqual(32);
    await manager.removePod('forks');
  });

  it('are never touched for a uid that is a path', async () => {
    for (const uid of ['', '../burstable', 'a/b', '.', '..']) {
      await expect(manager.removePod(uid)).rejects.toThrow('cannot be the uid of a pod');
    }
  });

  it('are not made where pods have no cgroups of their own', async () => {
    const flat = await createCgroupManager(optionsFor({ cgroupsPerQos: false }));
    await flat.ensureNode(undefined);
    expect(await flat.ensurePod(burstable('flat'))).toBe(cgroupRoot);
    for (const dir of directories(`${cgroupRoot}/podflat`)) expect(await exists(dir)).toBe(false);
    expect(await flat.podUids()).toEqual([]);
  });

  it('cannot be made without the permission, and the error says what to do', async () => {
    const script = `
      import { createCgroupManager } from '${join(import.meta.dirname, '../src/resources/cgroups.ts')}';
      const log = { warn() {} };
      const context = { hugepageSizes: [], cpuCfsQuota: true, cpuCfsQuotaPeriodUs: 100000 };
      const options = { cgroupRoot: '${cgroupRoot}-denied', cgroupsPerQos: true, podPidsLimit: -1, context, log };
      const manager = await createCgroupManager(options);
      await manager.ensureNode(undefined).catch((error) => console.log(error.name + ': ' + error.message));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      uid: 65_534,
      gid: 65_534,
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    await once(child, 'close');
    expect(output).toMatch(/^CgroupError: cannot create cgroup .*permission denied; run the agent as root/);
  });

  if (version === 2)
    it('are not made below processes, and the error names them', async () => {
      const crowded = `${cgroupRoot}/crowded`;
      const child = sleeper();
      await enter(crowded, child);
      const other = await createCgroupManager(optionsFor({ cgroupRoot: crowded }));
      await expect(other.ensureNode(undefined)).rejects.toThrow(
        `while processes (${child.pid}) are directly in it`,
      );
    });

  it('of what is no pod are held to what is reserved for them, and have to be there', async () => {
    const name = `${cgroupRoot}/services`;
    await expect(manager.limitReserved({ name, amounts: { cpu: 500 } })).rejects.toThrow(
      `the cgroup ${name} that is to be held to what is reserved does not exist`,
    );
    for (const dir of directories(name)) await mkdir(dir);
    await manager.limitReserved({ name, amounts: { cpu: 500 } });
    const memory = () => control('memory', name, 'memory.limit_in_bytes', 'memory.max');
    expect(await control('cpu', name, 'cpu.shares', 'cpu.weight')).toBe(version === 1 ? '512' : '20');
    expect(await memory()).not.toBe(`${64 * mib}`);
    await manager.limitReserved({ name, amounts: { cpu: 500, memory: 64 * mib, pid: 100 } });
    expect(await memory()).toBe(`${64 * mib}`);
    expect(await control('pids', name, 'pids.max', 'pids.max')).toBe('100');
  });

  it('leave nothing behind that the test did not make', async () => {
    await removeCgroups(directories(cgroupRoot));
    for (const dir of directories(cgroupRoot)) await expect(rmdir(dir)).rejects.toThrow('ENOENT');
  });
});
