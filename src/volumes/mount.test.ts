import { expect, test } from 'vitest';
import { parseMountInfo } from './mount.ts';

test('the mount table is read with its escapes and its optional fields', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
    '37 35 0:39 / /a\\040b\\134c\\011d rw - tmpfs tmpfs rw,size=1024k',
    '38 35 0:40 / /été rw,relatime unbindable - fuse.x - rw',
    '',
  ].join('\n');
  expect(parseMountInfo(text)).toEqual([
    { id: 36, path: '/mnt2', fsType: 'ext3', source: '98:0 /mnt1' },
    { id: 37, path: '/a b\\c\td', fsType: 'tmpfs', source: '0:39 /' },
    { id: 38, path: '/été', fsType: 'fuse.x', source: '0:40 /' },
  ]);
});
