import { expect, test } from 'vitest';
import { spaceOf } from './node-usage.ts';

test('what a file system keeps for root is neither used nor available', () => {
  const blocks = { bsize: 4096, blocks: 1000, bfree: 600, bavail: 550, files: 100, ffree: 40 };
  expect(spaceOf(blocks)).toEqual({
    capacityBytes: 4_096_000,
    usedBytes: 1_638_400,
    availableBytes: 2_252_800,
    inodes: 100,
    inodesFree: 40,
  });
});
