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
