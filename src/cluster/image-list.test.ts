import { expect, it } from 'vitest';
import type { Image, Runtime } from '../../runtime/runtime.ts';
import { ImageList } from './image-list.ts';

const image = (name: string, sizeBytes: number) =>
  ({ id: name, repoTags: [name], repoDigests: [], sizeBytes }) as Partial<Image> as Image;
const runtimeOf = (listImages: (signal?: AbortSignal) => Promise<Image[]>) =>
  ({ images: { listImages } }) as Partial<Runtime> as Runtime;

it.each([
  [-1, ['large', 'middle', 'small']],
  [2, ['large', 'middle']],
])('shows the images of the runtimes that answer, the largest first, at most %d', async (most, names) => {
  const ending = new AbortController();
  const lists = new ImageList(
    [
      runtimeOf(async () => [image('small', 1), image('large', 9)]),
      runtimeOf(() => new Promise(() => undefined)),
      runtimeOf(async () => {
        throw new Error('down');
      }),
      runtimeOf(async () => [image('middle', 5)]),
    ],
    most,
  );
  expect(lists.images).toBeUndefined();
  void lists.run(ending.signal);
  await expect.poll(() => lists.images).toHaveLength(names.length);
  expect(lists.images?.map((shown) => shown.names?.[0])).toEqual(names);
  ending.abort();
});
