import { describe, expect, it } from 'vitest';
import { chooseImages, type ImageGcPolicy, type KnownImage } from './gc.ts';

const day = 86_400_000;
const nowMs = 100 * day;
const policy: ImageGcPolicy = {
  highThresholdPercent: 85,
  lowThresholdPercent: 80,
  minAgeMs: 120_000,
  maxAgeMs: 0,
  offlineProtection: false,
};
const image = (id: string, more: Partial<KnownImage> = {}): KnownImage => ({
  id,
  sizeBytes: 10,
  pinned: false,
  firstSeenMs: 0,
  lastUsedMs: 0,
  ...more,
});
const disk = (usedPercent: number) => ({ capacityBytes: 1000, availableBytes: 1000 - usedPercent * 10 });
const choose = (
  images: KnownImage[],
  usedPercent: number,
  more: Partial<ImageGcPolicy> = {},
  inUse: string[] = [],
) => {
  const { remove, wantedBytes } = chooseImages(
    images,
    new Set(inUse),
    disk(usedPercent),
    { ...policy, ...more },
    nowMs,
  );
  return { ids: remove.map(({ id }) => id), wantedBytes };
};

describe('chooseImages', () => {
  const images = [
    image('recent', { lastUsedMs: 3 * day, sizeBytes: 20 }),
    image('old', { lastUsedMs: 1 * day, sizeBytes: 20 }),
    image('never', { firstSeenMs: day, sizeBytes: 20 }),
    image('never-older', { sizeBytes: 20 }),
  ];

  it('leaves everything below the high threshold', () => {
    expect(choose(images, 84)).toEqual({ ids: [], wantedBytes: 0 });
  });
  it('removes from the high threshold down to the low one, longest unused first', () => {
    expect(choose(images, 85)).toEqual({ ids: ['never-older', 'never', 'old'], wantedBytes: 50 });
    expect(choose(images, 90).ids).toEqual(['never-older', 'never', 'old', 'recent']);
  });
  it('keeps what is in use or pinned', () => {
    const some = [image('used'), image('pinned', { pinned: true }), image('free')];
    expect(choose(some, 99, {}, ['used']).ids).toEqual(['free']);
  });
  it('keeps what has only just come', () => {
    const young = image('young', { firstSeenMs: nowMs - 119_999 });
    expect(choose([young], 99).ids).toEqual([]);
    expect(choose([{ ...young, firstSeenMs: nowMs - 120_000 }], 99).ids).toEqual(['young']);
  });
  it('removes what was unused for too long, however empty the disk is', () => {
    const aged = [
      image('used-lately', { lastUsedMs: nowMs - day }),
      image('seen-lately', { firstSeenMs: nowMs - day }),
      image('aged'),
    ];
    expect(choose(aged, 10, { maxAgeMs: 2 * day }).ids).toEqual(['aged']);
  });
  it('removes nothing for space at a high threshold of 100', () => {
    expect(choose(images, 100, { highThresholdPercent: 100 }).ids).toEqual([]);
  });
  it('removes nothing at all with offline protection, and still says how much it would want', () => {
    expect(choose(images, 90, { offlineProtection: true, maxAgeMs: 1 })).toEqual({
      ids: [],
      wantedBytes: 100,
    });
  });
});
