import { expect, test } from 'vitest';
import { parseHierarchies } from './hierarchies.ts';

test('a machine with cgroup v2 alone has one hierarchy', () => {
  const table = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
  expect(parseHierarchies(table)).toEqual([{ version: 2, mountPoint: '/sys/fs/cgroup', controllers: [] }]);
});

test('a hybrid machine has those of both versions, each once', () => {
  const table = `31 28 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 28 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 28 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 28 0:29 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct
41 28 0:30 /docker/abc /mnt/part rw - cgroup cgroup rw,name=systemd
42 28 254:0 / / rw - ext4 /dev/vda rw
`;
  expect(parseHierarchies(table)).toEqual([
    { version: 1, mountPoint: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
    { version: 1, mountPoint: '/sys/fs/cgroup/systemd', controllers: [] },
    { version: 2, mountPoint: '/sys/fs/cgroup/unified', controllers: [] },
  ]);
});
