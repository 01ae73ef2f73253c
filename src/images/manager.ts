/**
 * Brings a container's image to the machine: pull policy, credentials, one pull for all who wait for the same image,
 * back off by pod and image after a failure, and the kubelet's events and reasons.
 */
import type { Image, ImageAuth, ImageService, PodSandboxConfig } from '../../runtime/runtime.ts';
import type { Container, Pod } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import { containerReference } from '../events/reference.ts';
import type { EventRecorder, EventType } from '../events.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { podKey, podUid } from '../pods/identity.ts';
import type { CredentialSource } from './credentials.ts';
import { ImageError, pullError } from './error.ts';
import { createPullQueue } from './pull-queue.ts';
import { type ImageReference, parseImageReference, whyNoReference, withDefaultTag } from './reference.ts';
import { sizeClass } from './size-class.ts';

export interface EnsureImageRequest {
  pod: Pod;
  container: Pick<Container, 'name' | 'image' | 'imagePullPolicy'>;
  images: ImageService;
  sandboxConfig: PodSandboxConfig | undefined;
}

export interface EnsuredImage {
  /** What to create the container with. */
  imageRef: string;
  /** What the image says about itself (user, …); undefined when the runtime cannot tell. */
  image: Image | undefined;
}

export interface ImageManager {
  /** @throws ImageError with the reason for the container's waiting state. */
  ensureImage(request: EnsureImageRequest, signal: AbortSignal): Promise<EnsuredImage>;
  /** What the pod has waited for its images to be pulled. */
  pulledMs(uid: string): number;
  /** The pod is gone: its back offs are of no use any more. */
  forgetPod(uid: string): void;
}

export interface ImageManagerOptions {
  log: Logger;
  events: EventRecorder;
  credentials: CredentialSource;
  metrics: Pick<Metrics, 'observe'>;
  /** One pull at a time; `maxParallelImagePulls` then has no say. */
  serializeImagePulls: boolean;
  /** Undefined: no limit. */
  maxParallelImagePulls: number | undefined;
  /** 0: no limit. */
  registryPullQps: number;
  registryBurst: number;
  backoff: { initialMs: number; maxMs: number };
  /** Epoch. */
  now: () => number;
}

/** How long a failed pull is shown as such. */
const failureShownMs = 1000;

export const defaultImageBackoff = { initialMs: 10_000, maxMs: 300_000 };

export function createImageManager(options: ImageManagerOptions): ImageManager {
  const queue = createPullQueue({
    maxParallel: options.serializeImagePulls ? 1 : options.maxParallelImagePulls,
    perSecond: options.registryPullQps,
    burst: options.registryBurst,
  });
  const failures = new Map<string, PullFailure>();
  const pulledMs = new Map<string, number>();

  const ensureImage = async (request: EnsureImageRequest, signal: AbortSignal): Promise<EnsuredImage> => {
    const about = containerReference(request.pod, request.container);
    const tell: Tell = (type, reason, message) => options.events.event(about, type, reason, message);
    try {
      return await ensureTold(request, tell, signal);
    } catch (error) {
      if (error instanceof ImageError) tell('Warning', 'Failed', `Error: ${error.reason}`);
      throw error;
    }
  };

  const ensureTold = async (
    request: EnsureImageRequest,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<EnsuredImage> => {
    const { pod, container, images } = request;
    const name = container.image ?? '';
    const reference = parseImageReference(name);
    if (reference === undefined) {
      const message = `Failed to apply default image tag "${name}": couldn't parse image name "${name}": ${whyNoReference(name)}`;
      tell('Warning', 'InspectFailed', message);
      throw new ImageError('InvalidImageName', message);
    }
    // Otherwise as it was written: a runtime may know better which registry a short name is in.
    const pullName = withDefaultTag(reference) === reference ? name : `${name}:latest`;

    const present = await inspect(images, pullName, name, tell, signal);
    const policy = pullPolicy(container, reference);
    if (present !== undefined && policy !== 'Always') {
      tell('Normal', 'Pulled', `Container image "${name}" already present on machine`);
      return { imageRef: present.id, image: present };
    }
    if (policy === 'Never') {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      tell('Warning', 'ErrImageNeverPull', message);
      throw new ImageError('ErrImageNeverPull', message);
    }

    const key = `${podUid(pod)}_${pullName}`;
    throwWhileBackingOff(name, failures.get(key), tell);
    tell('Normal', 'Pulling', `Pulling image "${name}"`);
    try {
      const pulled = await pull(request, reference, pullName, tell, signal);
      failures.delete(key);
      const image = await images.imageStatus(pulled.imageRef, signal);
      tell('Normal', 'Pulled', pulledMessage(name, pulled, image));
      const { pullMs } = pulled;
      pulledMs.set(podUid(pod), (pulledMs.get(podUid(pod)) ?? 0) + pullMs + pulled.waitedMs);
      const image_size_in_bytes = sizeClass(image?.sizeBytes ?? 0);
      options.metrics.observe('kubelet_image_pull_duration_seconds', pullMs / 1000, { image_size_in_bytes });
      return { imageRef: pulled.imageRef, image };
    } catch (error) {
      signal.throwIfAborted();
      const failure = nextFailure(name, failures.get(key), error);
      failures.set(key, failure);
      options.log.warn(
        { pod: podKey(pod), container: container.name, err: error },
        'image could not be pulled',
      );
      tell('Warning', 'Failed', `Failed to pull image "${name}": ${failure.message}`);
      // Looked at again soon, and then told as what it is by now: a wait.
      throw pullError(name, error, Math.min(failure.retryAtMs, options.now() + failureShownMs));
    }
  };

  const pull = async (
    { pod, container, images, sandboxConfig }: EnsureImageRequest,
    reference: ImageReference,
    pullName: string,
    tell: Tell,
    signal: AbortSignal,
  ) => {
    const { auths, problems } = await options.credentials.credentialsFor(pod, reference, signal);
    if (problems.length > 0) {
      options.log.warn(
        { pod: podKey(pod), container: container.name, problems },
        'pull credentials not used',
      );
      tell(
        'Warning',
        'FailedToRetrieveImagePullSecret',
        `Unable to retrieve some image pull secrets (${problems.join('; ')}); attempting to pull the image may not succeed.`,
      );
    }
    // Who has no right to the image must not get it because another pod does.
    const key = JSON.stringify([pullName, auths]);
    return queue.run(key, (shared) => pullWithAny(images, pullName, auths, sandboxConfig, shared), signal);
  };

  const throwWhileBackingOff = (name: string, failure: PullFailure | undefined, tell: Tell): void => {
    if (failure === undefined || failure.retryAtMs <= options.now()) return;
    // A clock that was set back must not make the pod wait longer than the back off itself.
    if (failure.retryAtMs - options.now() > failure.delayMs) return;
    tell('Normal', 'BackOff', `Back-off pulling image "${name}"`);
    throw new ImageError('ImagePullBackOff', `Back-off pulling image "${name}": ${failure.told}`, {
      retryAtMs: failure.retryAtMs,
    });
  };

  const nextFailure = (name: string, last: PullFailure | undefined, error: unknown): PullFailure => {
    const { initialMs, maxMs } = options.backoff;
    const nowMs = options.now();
    const expired = last === undefined || nowMs - last.retryAtMs > 2 * maxMs;
    const delayMs = Math.min(expired ? initialMs : last.delayMs * 2, maxMs);
    const message = messageOf(error);
    const { reason, message: explained } = pullError(name, error, 0);
    return { delayMs, retryAtMs: nowMs + delayMs, message, told: `${reason}: ${explained}` };
  };

  return {
    ensureImage,
    pulledMs: (uid) => pulledMs.get(uid) ?? 0,
    forgetPod: (uid) => {
      pulledMs.delete(uid);
      for (const key of failures.keys()) if (key.startsWith(`${uid}_`)) failures.delete(key);
    },
  };
}

interface PullFailure {
  delayMs: number;
  retryAtMs: number;
  message: string;
  /** With its reason, as a container's status shows it while it waits. */
  told: string;
}

type Tell = (type: EventType, reason: string, message: string) => void;

async function inspect(
  images: ImageService,
  pullName: string,
  name: string,
  tell: Tell,
  signal: AbortSignal,
): Promise<Image | undefined> {
  try {
    return await images.imageStatus(pullName, signal);
  } catch (error) {
    signal.throwIfAborted();
    const message = `Failed to inspect image "${name}": ${messageOf(error)}`;
    tell('Warning', 'InspectFailed', message);
    throw new ImageError('ImageInspectError', message, { cause: error });
  }
}

/** The API server's default, where none was filled in. */
function pullPolicy(container: EnsureImageRequest['container'], reference: ImageReference): string {
  if (container.imagePullPolicy) return container.imagePullPolicy;
  return withDefaultTag(reference).tag === 'latest' ? 'Always' : 'IfNotPresent';
}

async function pullWithAny(
  images: ImageService,
  pullName: string,
  auths: readonly ImageAuth[],
  sandboxConfig: PodSandboxConfig | undefined,
  signal: AbortSignal,
): Promise<string> {
  const errors: unknown[] = [];
  for (const auth of auths.length > 0 ? auths : [undefined]) {
    try {
      return await images.pullImage(pullName, auth, sandboxConfig, signal);
    } catch (error) {
      signal.throwIfAborted();
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  const messages = errors.map(messageOf);
  throw new AggregateError(errors, `[${[...new Set(messages)].join(', ')}]`);
}

function pulledMessage(
  name: string,
  { pullMs, waitedMs }: { pullMs: number; waitedMs: number },
  image: Image | undefined,
): string {
  const waiting = formatDuration(pullMs + waitedMs);
  const size = image?.sizeBytes ?? 0;
  return `Successfully pulled image "${name}" in ${formatDuration(pullMs)} (${waiting} including waiting). Image size: ${size} bytes.`;
}

/** As Go prints a duration of whole milliseconds. */
export function formatDuration(durationMs: number): string {
  const ms = Math.trunc(durationMs);
  if (ms < 1000) return ms === 0 ? '0s' : `${ms}ms`;
  const hours = Math.trunc(ms / 3_600_000);
  const minutes = Math.trunc(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  return `${hours > 0 ? `${hours}h` : ''}${ms >= 60_000 ? `${minutes}m` : ''}${seconds}s`;
}
