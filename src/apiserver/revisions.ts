/**
 * The resourceVersion counter. It never goes back, also not over a restart: a mark ahead of it is kept on disk and
 * the next start begins there, so that a change costs no write of its own.
 */
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';

export interface Revisions {
  current(): number;
  next(): number;
}

const kind = 'api-meta';
const key = 'resourceVersion';
const blockSize = 10_000;

export async function openRevisions(store: Store, log: Logger): Promise<Revisions> {
  const records = await store.load<{ reserved: number }>(kind);
  let last = Math.max(0, ...records.map((record) => record.value.reserved));
  let reserved = last;
  let reserving = false;

  async function reserve(): Promise<void> {
    reserving = true;
    const mark = last + blockSize;
    try {
      await store.put(kind, key, { reserved: mark });
      reserved = mark;
    } catch (err) {
      log.error(
        { err },
        'resourceVersions of the API may repeat after a restart: their mark was not written',
      );
    } finally {
      reserving = false;
    }
  }

  await reserve();
  return {
    current: () => last,
    next: () => {
      last += 1;
      if (last > reserved - blockSize / 2 && !reserving) void reserve();
      return last;
    },
  };
}
