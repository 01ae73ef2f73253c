/**
 * Garbage collection of images: when the disk that holds them fills beyond the high threshold, the ones unused for the
 * longest go until it is below the low one; what nobody used for too long goes in any case. What is in use or pinned
 * stays. With offline protection nothing is ever removed, because a robot out of reach could not pull it again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Image, ImageService } from '../../runtime/runtime.ts';
import { messageOf } from '../error-message.ts';
import type { EventRecorder, ObjectReference } from '../events.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { formatImageReference, parseImageReference, withDefaultTag } from './reference.ts';

export interface ImageGcPolicy {
  /** Percent of the disk in use. 100 switches collection by space off. */
  highThresholdPercent: number;
  lowThresholdPercent: number;
  /** Younger images stay: they may be about to be used. */
  minAgeMs: number;
  /** Unused images beyond it go; 0: no limit. */
  maxAgeMs: number;
  /** Never remove an image. */
  offlineProtection: boolean;
}

/** An image that is on the machine, as collection sees it. Times are epochs. */
export interface KnownImage {
  id: string;
  sizeBytes: number;
  pinned: boolean;
  firstSeenMs: number;
  lastUsedMs: number;
}

export interface DiskSpace {
  capacityBytes: number;
  availableBytes: number;
}

/** Which images to remove, in this order, and how much that should give. */
export function chooseImages(
  images: readonly KnownImage[],
  inUse: ReadonlySet<string>,
  disk: DiskSpace,
  policy: ImageGcPolicy,
  nowMs: number,
): { remove: KnownImage[]; wantedBytes: number } {
  const usedPercent = 100 - Math.floor((disk.availableBytes * 100) / Math.max(disk.capacityBytes, 1));
  const wantedBytes =
    policy.highThresholdPercent < 100 && usedPercent >= policy.highThresholdPercent
      ? Math.ceil((disk.capacityBytes * (100 - policy.lowThresholdPercent)) / 100) - disk.availableBytes
      : 0;
  const remove = removable(images, inUse, policy, nowMs, wantedBytes);
  return { remove, wantedBytes: Math.max(wantedBytes, 0) };
}

export interface ImageGcOptions {
  policy: ImageGcPolicy;
  periodMs: number;
  images: ImageService;
  disk(signal: AbortSignal): Promise<DiskSpace>;
  /** Image references of every container that exists, dead ones included, and of what is to run. */
  imagesInUse(signal: AbortSignal): Promise<readonly string[]>;
  /** About whom events are. */
  node: ObjectReference;
  events: EventRecorder;
  metrics: Pick<Metrics, 'count'>;
  log: Logger;
  now: () => number;
}

export interface ImageCollector {
  /** Removes every image that is not in use, as when the node is under disk pressure. */
  removeUnused(signal: AbortSignal): Promise<void>;
  /** Collects by the policy again and again until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Collects by the policy once. */
  collect(signal: AbortSignal): Promise<void>;
}

export function createImageCollector(options: ImageGcOptions): ImageCollector {
  const { policy, images, events, log, now } = options;
  // Not kept on disk: after a start every image counts as just seen, and stays for minAge at least.
  let known = new Map<string, KnownImage>();

  const refresh = async (signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const present = await images.listImages(signal);
    const used = new Set((await options.imagesInUse(signal)).flatMap(namesOf));
    const inUse = new Set(present.filter((image) => isUsed(image, used)).map(({ id }) => id));
    const nowMs = now();
    known = new Map(
      present.map(({ id, sizeBytes, pinned }) => {
        const last = known.get(id) ?? { firstSeenMs: nowMs, lastUsedMs: 0 };
        const lastUsedMs = inUse.has(id) ? nowMs : last.lastUsedMs;
        return [id, { id, sizeBytes, pinned, firstSeenMs: last.firstSeenMs, lastUsedMs }];
      }),
    );
    return inUse;
  };

  const remove = async (chosen: readonly KnownImage[], signal: AbortSignal): Promise<number> => {
    let freedBytes = 0;
    for (const image of chosen) {
      try {
        await images.removeImage(image.id, signal);
        known.delete(image.id);
        freedBytes += image.sizeBytes;
        const reason = isTooOld(image, policy, now()) ? 'age' : 'space';
        options.metrics.count('kubelet_image_garbage_collected_total', { reason });
        log.info({ image: image.id, sizeBytes: image.sizeBytes }, 'image removed: it is not in use');
      } catch (err) {
        signal.throwIfAborted();
        log.warn({ err, image: image.id }, 'image cannot be removed');
      }
    }
    return freedBytes;
  };

  const collect = async (signal: AbortSignal): Promise<void> => {
    const inUse = await refresh(signal);
    const disk = await options.disk(signal);
    if (disk.capacityBytes <= 0) {
      const message = 'invalid capacity 0 on image filesystem';
      events.event(options.node, 'Warning', 'InvalidDiskCapacity', message);
      return;
    }
    const choice = chooseImages([...known.values()], inUse, disk, policy, now());
    const freedBytes = await remove(choice.remove, signal);
    if (freedBytes >= choice.wantedBytes) return;
    const why = policy.offlineProtection ? ' (images.keepAll keeps them all)' : '';
    const message = `Failed to garbage collect required amount of images. Attempted to free ${choice.wantedBytes} bytes, but only found ${freedBytes} bytes eligible to free.${why}`;
    events.event(options.node, 'Warning', 'FreeDiskSpaceFailed', message);
    log.warn({ wantedBytes: choice.wantedBytes, freedBytes }, message);
  };

  return {
    collect,
    removeUnused: async (signal) => {
      const inUse = await refresh(signal);
      await remove(removable([...known.values()], inUse, policy, now(), Number.POSITIVE_INFINITY), signal);
    },
    run: async (signal) => {
      while (!signal.aborted) {
        await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        try {
          await collect(signal);
        } catch (err) {
          if (signal.aborted) return;
          events.event(options.node, 'Warning', 'ImageGCFailed', messageOf(err));
          log.error({ err }, 'images cannot be collected');
        }
      }
    },
  };
}

/** Least recently used first, then the oldest. Too old ones go in any case, the others while bytes are wanted. */
function removable(
  images: readonly KnownImage[],
  inUse: ReadonlySet<string>,
  policy: ImageGcPolicy,
  nowMs: number,
  wantedBytes: number,
): KnownImage[] {
  if (policy.offlineProtection) return [];
  const chosen: KnownImage[] = [];
  let bytes = 0;
  const unused = images
    .filter(({ id, pinned }) => !pinned && !inUse.has(id))
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs || a.firstSeenMs - b.firstSeenMs);
  for (const image of unused) {
    const tooOld = isTooOld(image, policy, nowMs);
    const oldEnough = nowMs - image.firstSeenMs >= policy.minAgeMs;
    if (!tooOld && !(oldEnough && bytes < wantedBytes)) continue;
    chosen.push(image);
    bytes += image.sizeBytes;
  }
  return chosen;
}

const isTooOld = (image: KnownImage, { maxAgeMs }: ImageGcPolicy, nowMs: number): boolean =>
  maxAgeMs > 0 && nowMs - Math.max(image.lastUsedMs, image.firstSeenMs) > maxAgeMs;

/** As people write it, and as engines list it. */
function namesOf(image: string): string[] {
  const reference = parseImageReference(image);
  if (reference === undefined) return [image];
  const { domain, path, digest } = reference;
  return [
    image,
    formatImageReference(digest === undefined ? withDefaultTag(reference) : { domain, path, digest }),
  ];
}

/** A container may name its image by id, tag or digest. */
function isUsed({ id, repoTags, repoDigests }: Image, used: ReadonlySet<string>): boolean {
  const names = [id, ...repoTags, ...repoDigests];
  return names.some((name) => used.has(name) || sandboxImage.test(name));
}

/** Every sandbox runs it, no container is listed with it, and containerd before 1.7 does not say that it is pinned. */
const sandboxImage = /(^|\/)pause[:@]/;
