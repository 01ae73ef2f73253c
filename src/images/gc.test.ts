import { describe, expect, it } from 'vitest';
import type { Image } from '../../runtime/runtime.ts';
import { silentLogger } from '../log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { chooseImages, createImageCollector, type ImageGcPolicy, type KnownImage } from './gc.ts';

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

describe('createImageCollector', () => {
  const stored = (id: string, more: Partial<Image> = {}): Image => ({
    id,
    repoTags: [`${id}:1`],
    repoDigests: [`${id}@sha256:abc`],
    sizeBytes: 10,
    pinned: false,
    ...more,
  });
  const never = new AbortController().signal;

  function setUp(
    images: Image[],
    options: { inUse?: string[]; usedPercent?: number; policy?: Partial<ImageGcPolicy> } = {},
  ) {
    const left = new Map(images.map((image) => [image.id, image]));
    const events: string[] = [];
    const usedPercent = options.usedPercent ?? 90;
    let clockMs = nowMs;
    const collector = createImageCollector({
      policy: { ...policy, ...options.policy },
      periodMs: 1000,
      metrics: createMetrics(),
      images: {
        listImages: async () => [...left.values()],
        imageStatus: async (name) => left.get(name),
        pullImage: async (name) => name,
        removeImage: async (name) => {
          if (name === 'stuck') throw new Error('the image is locked');
          left.delete(name);
        },
        imageFsInfo: async () => [],
      },
      disk: async () => disk(usedPercent),
      imagesInUse: async () => options.inUse ?? [],
      node: { kind: 'Node', namespace: '', name: 'robot', uid: 'robot' },
      events: { event: (_, type, reason, message) => void events.push(`${type} ${reason}: ${message}`) },
      log: silentLogger(),
      now: () => clockMs,
    });
    return {
      collector,
      events,
      left: () => [...left.keys()],
      pass: (ms: number) => {
        clockMs += ms;
      },
    };
  }

  it('takes every image for new when it starts, and removes it once it is old enough', async () => {
    const { collector, left, pass } = setUp([stored('a')]);
    await collector.collect(never);
    expect(left()).toEqual(['a']);
    pass(policy.minAgeMs);
    await collector.collect(never);
    expect(left()).toEqual([]);
  });
  it('keeps what a container names by id, tag or digest, and the image of the sandboxes', async () => {
    const images = [
      stored('by-id'),
      stored('by-tag'),
      stored('by-digest'),
      stored('free'),
      stored('sandbox', { repoTags: ['registry.example/pause:3.9'] }),
    ];
    const { collector, left, pass } = setUp(images, { inUse: ['by-id', 'by-tag:1', 'by-digest@sha256:abc'] });
    await collector.collect(never);
    pass(policy.minAgeMs);
    await collector.removeUnused(never);
    expect(left()).toEqual(['by-id', 'by-tag', 'by-digest', 'sandbox']);
  });
  it('keeps what is to run under the name that people gave it', async () => {
    const images = [
      stored('short', { repoTags: ['docker.io/library/busybox:latest'] }),
      stored('both', { repoTags: [], repoDigests: [`docker.io/a/b@sha256:${'a'.repeat(64)}`] }),
      stored('free', { repoTags: ['docker.io/library/busybox:1'] }),
    ];
    const inUse = ['busybox', `a/b:1@sha256:${'a'.repeat(64)}`];
    const { collector, left, pass } = setUp(images, { inUse });
    await collector.collect(never);
    pass(policy.minAgeMs);
    await collector.removeUnused(never);
    expect(left()).toEqual(['short', 'both']);
  });
  it('goes on when one image cannot be removed, and tells when that was not enough', async () => {
    const { collector, left, pass, events } = setUp([stored('stuck'), stored('free')]);
    await collector.collect(never);
    pass(policy.minAgeMs);
    events.length = 0;
    await collector.collect(never);
    expect(left()).toEqual(['stuck']);
    expect(events).toEqual([
      'Warning FreeDiskSpaceFailed: Failed to garbage collect required amount of images. Attempted to free 100 bytes, but only found 10 bytes eligible to free.',
    ]);
  });
  it('says that the images are protected', async () => {
    const { collector, events } = setUp([stored('a')], { policy: { offlineProtection: true } });
    await collector.collect(never);
    expect(events[0]).toContain('images.keepAll');
  });
  it('removes nothing and tells nothing while there is room', async () => {
    const { collector, left, events, pass } = setUp([stored('a')], { usedPercent: 50 });
    await collector.collect(never);
    pass(policy.minAgeMs);
    await collector.collect(never);
    expect([left(), events]).toEqual([['a'], []]);
  });
});
