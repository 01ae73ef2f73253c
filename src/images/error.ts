/** Why a container's image is not there, as its status shows it. */
import { messageOf } from '../error-message.ts';

export type ImageErrorReason =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'ImageInspectError'
  | 'RegistryUnavailable'
  | 'SignatureValidationFailed';

export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: ImageErrorReason;
  /** Epoch before which another try would tell nothing new: that it waits, and when that ends. */
  readonly retryAtMs: number | undefined;
  constructor(
    reason: ImageErrorReason,
    message: string,
    options: ErrorOptions & { retryAtMs?: number } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.retryAtMs = options.retryAtMs;
  }
}

/** CRI's error conventions: a runtime marks these two kinds by the beginning of the message. */
export function pullError(image: string, error: unknown, retryAtMs: number): ImageError {
  const text = messageOf(error);
  for (const [reason, why] of markedReasons) {
    const at = text.indexOf(reason);
    if (at < 0) continue;
    const rest = text.slice(at + reason.length);
    const message = `image pull failed for ${image} because ${why}${rest}`;
    return new ImageError(reason, message, { cause: error, retryAtMs });
  }
  return new ImageError('ErrImagePull', text, { cause: error, retryAtMs });
}

const markedReasons = [
  ['RegistryUnavailable', 'the registry is unavailable'],
  ['SignatureValidationFailed', 'the signature validation failed'],
] as const;
