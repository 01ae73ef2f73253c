import { expect, it, vi } from 'vitest';
import type { FilesystemSpace } from './node-usage.ts';
import { volumeSpace } from './volume-space.ts';

const space = { availableBytes: 1, capacityBytes: 2, usedBytes: 1, inodesFree: 3, inodes: 4 };

it('asks a file system that does not answer once, and others meanwhile, until too many do not', async () => {
  const held = new Map<string, PromiseWithResolvers<FilesystemSpace>>();
  const read = vi.fn(async (path: string) => {
    if (!path.startsWith('/away')) return space;
    const answer = Promise.withResolvers<FilesystemSpace>();
    held.set(path, answer);
    return answer.promise;
  });
  const of = volumeSpace(read, 50);
  const late = await Promise.allSettled(Array.from({ length: 6 }, () => of('/away/1')));
  expect(late.map(({ status }) => status)).toEqual(Array(6).fill('rejected'));
  await expect(of('/away/1')).rejects.toThrow('does not answer');
  expect(await of('/here')).toEqual(space);
  await expect(of('/away/2')).rejects.toThrow('does not answer');
  await expect(of('/here')).rejects.toThrow('/away/1 and /away/2 do not answer');
  expect(read.mock.calls.flat()).toEqual(['/away/1', '/here', '/away/2']);
  held.get('/away/1')?.resolve(space);
  held.get('/away/2')?.reject(new Error('stale'));
  await expect.poll(() => of('/here')).toEqual(space);
});
