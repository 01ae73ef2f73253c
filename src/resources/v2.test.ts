import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import { CgroupError } from './cgroup-layout.ts';
import { cgroupV2 } from './v2.ts';

/** A file of the kernel's that cannot be read for that reason, as pressure where it is switched off. */
const unsupported = readdirSync('/sys/class/net')
  .map((name) => join('/sys/class/net', name, 'phys_port_name'))
  .find((path) => {
    try {
      readFileSync(path);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOTSUP';
    }
  });

// What is written where. That the kernel takes it is shown by test/cgroups.test.ts.
describe('cgroup v2 files', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'roslet-v2-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  // Only where there is such a file: with a kernel that measures pressure, but was not told to.
  if (unsupported !== undefined)
    it('that the kernel does not support are as good as none', async () => {
      await mkdir(join(root, 'pod'));
      await symlink(unsupported, join(root, 'pod', 'cpu.pressure'));
      expect(driver().details('/pod').pressure).toEqual({});
    });

  const driver = (controllers = ['cpu', 'memory', 'pids', 'hugetlb']) =>
    cgroupV2({ version: 2, hierarchies: [{ dir: root, controllers }] }, silentLogger());
  const file = (path: string) => readFile(join(root, path), 'utf8');
  const given = async (path: string, files: Record<string, string>) => {
    await mkdir(join(root, path), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, path, name), text);
  };

  const unlimited = {
    'cgroup.procs': '',
    'cpu.weight': '100\n',
    'cpu.max': 'max 100000\n',
    'memory.max': 'max\n',
    'pids.max': 'max\n',
    'hugetlb.2MB.max': 'max\n',
  };

  it('writes limits in the terms of v2', async () => {
    await given('pod', unlimited);
    await driver().apply('/pod', {
      cpuShares: 1024,
      cpuQuotaUs: 50_000,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: 4096,
      pidsLimit: 10,
      hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }],
    });
    expect(await file('pod/cpu.weight')).toBe('39');
    expect(await file('pod/cpu.max')).toBe('50000 100000');
    expect(await file('pod/memory.max')).toBe('4096');
    expect(await file('pod/pids.max')).toBe('10');
    expect(await file('pod/hugetlb.2MB.max')).toBe('0');
  });

  it('writes max where there is no limit', async () => {
    await given('pod', { ...unlimited, 'cpu.max': '1 2', 'memory.max': '1', 'pids.max': '1' });
    await driver().apply('/pod', {
      cpuQuotaUs: -1,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: -1,
      pidsLimit: -1,
    });
    expect(await file('pod/cpu.max')).toBe('max 100000');
    expect(await file('pod/memory.max')).toBe('max');
    expect(await file('pod/pids.max')).toBe('max');
  });

  it('leaves alone what it is not told and what the machine lacks', async () => {
    await given('pod', unlimited);
    await driver(['cpu']).apply('/pod', { memoryLimitBytes: 4096 });
    expect(await file('pod/memory.max')).toBe('max\n');
    expect(await file('pod/cpu.weight')).toBe('100\n');
  });

  it('keeps the other limits where the kernel does not have one, and remembers which', async () => {
    const { 'cpu.max': _, ...withoutQuota } = unlimited;
    await given('pod', withoutQuota);
    const subject = driver();
    await subject.apply('/pod', { cpuQuotaUs: 1000, cpuPeriodUs: 2000, pidsLimit: 5 });
    expect(await file('pod/pids.max')).toBe('5');
    expect([...subject.lost]).toEqual(['cpu.max']);
  });

  it('does not take a cgroup that is gone for one without limits', async () => {
    await expect(driver().apply('/gone', { pidsLimit: 5 })).rejects.toThrow(CgroupError);
  });

  it('passes a controller on from the top down, where it is to be had and not passed on yet', async () => {
    await given('', { 'cgroup.controllers': 'cpu memory', 'cgroup.subtree_control': 'cpu' });
    await given('kubepods', { 'cgroup.controllers': 'cpu', 'cgroup.subtree_control': '' });
    await driver().create('/kubepods/pod');
    expect(await file('cgroup.subtree_control')).toBe('+memory');
    expect(await file('kubepods/cgroup.subtree_control')).toBe('+cpu');
  });

  it('reads what a cgroup uses', async () => {
    await given('pod', {
      'memory.current': '1000\n',
      'memory.stat': 'anon 300\nfile 600\ninactive_file 400\npgfault 7\npgmajfault 1\n',
      'cpu.stat': 'usage_usec 5\nuser_usec 3\n',
      'pids.current': '2\n',
    });
    expect(driver().stats('/pod')).toMatchObject({
      cpuUsageCoreNanoSeconds: 5000n,
      memoryUsageBytes: 1000,
      memoryWorkingSetBytes: 600,
      memoryRssBytes: 300,
      pageFaults: 7,
      majorPageFaults: 1,
      processCount: 2,
    });
  });

  it('has no numbers of a cgroup that is not there', async () => {
    const { memoryUsageBytes, cpuUsageCoreNanoSeconds, processCount } = driver().stats('/gone');
    expect([memoryUsageBytes, cpuUsageCoreNanoSeconds, processCount]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
