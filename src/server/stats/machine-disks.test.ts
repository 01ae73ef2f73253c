import { expect, test } from 'vitest';
import { mountedDevices } from './machine-disks.ts';

test('a device is found where it is mounted first, and nothing that is on no device', () => {
  const mounts = [
    'proc /proc proc rw 0 0',
    '/dev/sda1 / ext4 rw,relatime 0 0',
    'tmpfs /tmp tmpfs rw 0 0',
    '/dev/sda1 /var/lib/roslet/pods/a/volumes/x ext4 rw 0 0',
    '/dev/sdb1 /mnt/two\\040words xfs rw 0 0',
    'server:/export /mnt/nfs nfs4 rw 0 0',
    '',
  ];
  expect([...mountedDevices(mounts.join('\n'))]).toEqual([
    ['/dev/sda1', '/'],
    ['/dev/sdb1', '/mnt/two words'],
  ]);
});

test.each([
  ['ext2', true],
  ['ext4', true],
  ['xfs', true],
  ['btrfs', true],
  ['squashfs', false],
  ['vfat', false],
  ['fuseblk', false],
  ['iso9660', false],
])('whether a device with %s is a disk: %s', (type, isDisk) => {
  expect(mountedDevices(`/dev/sdc1 /mnt ${type} ro 0 0`).size).toBe(isDisk ? 1 : 0);
});
