import { describe, expect, it } from 'vitest';
import { CgroupError, cgroupOfProcess, missingControllers, parseLayout } from './cgroup-layout.ts';

const v1Mounts = `
30 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
32 30 0:31 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory
33 30 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd`;
const v2Mount =
  '40 23 0:38 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot';

describe('cgroupOfProcess', () => {
  const hybrid = '9:name=systemd:/a\n4:cpu,cpuacct,memory:/system.slice/x:y.service\n2:cpuset:/\n0::/u\n';
  it.each([
    ['v1', 1, hybrid, '/system.slice/x:y.service'],
    ['v2', 2, hybrid, '/u'],
    ['the root of v1', 1, '4:cpuacct,memory:/\n0::/u\n', undefined],
    ['one of v1 where its CPU time is not counted', 1, '4:memory:/a\n3:cpu,cpuacct:/\n', undefined],
    ['one where it is counted apart, too', 1, '4:memory:/a\n3:cpu,cpuacct:/a\n', '/a'],
    ['the root of v2', 2, '0::/\n', undefined],
    ['no memory controller', 1, '2:cpuset,cpuacct:/a\n', undefined],
  ] as const)('%s', (_, version, text, path) => expect(cgroupOfProcess(text, version)).toBe(path));
});

describe('parseLayout', () => {
  it('finds v2 alone', () => {
    expect(parseLayout(v2Mount)).toEqual({
      version: 2,
      hierarchies: [{ dir: '/sys/fs/cgroup', controllers: [] }],
    });
  });
  it('finds the controllers of each v1 hierarchy, the named one included', () => {
    expect(parseLayout(v1Mounts)).toEqual({
      version: 1,
      hierarchies: [
        { dir: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
        { dir: '/sys/fs/cgroup/memory', controllers: ['memory'] },
        { dir: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'] },
      ],
    });
  });
  it('keeps the v2 tree of a hybrid beside the v1 ones', () => {
    const hybrid = parseLayout(`${v1Mounts}\n${v2Mount.replace('/sys/fs/cgroup', '/sys/fs/cgroup/unified')}`);
    expect(hybrid.version).toBe(1);
    expect(hybrid.hierarchies.at(-1)).toEqual({ dir: '/sys/fs/cgroup/unified', controllers: [] });
  });
  it('takes a named v1 hierarchy beside v2 for v2', () => {
    const named = '33 30 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd';
    expect(parseLayout(`${named}\n${v2Mount}`).version).toBe(2);
  });
  it('counts a hierarchy that is mounted twice once, and not a mount of a part of it', () => {
    const twice = `${v1Mounts}
41 23 0:31 / /mnt/memory rw - cgroup cgroup rw,memory
42 23 0:31 /docker/abc /mnt/part rw - cgroup cgroup rw,memory`;
    expect(parseLayout(twice).hierarchies.map(({ dir }) => dir)).not.toContain('/mnt/memory');
    expect(parseLayout(twice).hierarchies.map(({ dir }) => dir)).not.toContain('/mnt/part');
  });
  it('reads mount points with blanks', () => {
    const odd = v2Mount.replace('/sys/fs/cgroup', '/mnt/my\\040cgroups');
    expect(parseLayout(odd).hierarchies[0]?.dir).toBe('/mnt/my cgroups');
  });
  it('says so when there is none', () => {
    expect(() => parseLayout('23 1 0:20 / / rw - ext4 /dev/sda rw')).toThrow(CgroupError);
  });
});

describe('missingControllers', () => {
  const procCgroups =
    '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\npids\t0\t1\t1\nmemory\t0\t1\t0\n';
  it('tells a switched off controller from one that is not built in or not mounted', () => {
    const layout = { version: 2, hierarchies: [{ dir: '/c', controllers: ['cpu'] }] } as const;
    const missing = missingControllers(layout, procCgroups);
    expect(missing.map(({ controller }) => controller)).toEqual(['cpuset', 'memory', 'pids']);
    expect(missing[0]?.message).toContain('built without');
    expect(missing[1]?.message).toContain('cgroup_enable=memory');
    expect(missing[2]?.message).toContain('no mounted cgroup hierarchy');
  });
  it('asks for cpuacct on v1 only', () => {
    const all = ['cpu', 'cpuset', 'memory', 'pids'];
    const names = (version: 1 | 2) =>
      missingControllers(
        version === 1
          ? { version, hierarchies: [{ dir: '/c', controllers: all }] }
          : { version, hierarchies: [{ dir: '/c', controllers: all }] },
        procCgroups,
      ).map(({ controller }) => controller);
    expect(names(1)).toEqual(['cpuacct']);
    expect(names(2)).toEqual([]);
  });
});
