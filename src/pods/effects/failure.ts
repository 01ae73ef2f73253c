/** What went wrong on the way to a running container, in the words of its waiting state. */
import { RuntimeError } from '../../../runtime/runtime.ts';
import { messageOf } from '../../error-message.ts';
import { ImageError } from '../../images/error.ts';
import { VolumeError } from '../../volumes/volume.ts';
import type { Waiting } from '../actions.ts';
import { ContainerConfigError } from '../runtime-config/config-error.ts';

/** Why a container did not start, and when another try can help (undefined: the caller's back off). */
export interface StartFailure extends Waiting {
  retryInMs?: number;
  /** What the back off grows to, where it is not the caller's. */
  retryAtMostMs?: number;
}

/** The kubelet's of volumes: it is for what somebody tells of as soon as it is there. */
const toldRetryMs = 122_000;

/** A start that failed at a step that has a name in the container's waiting state. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: string;
  constructor(reason: string, message: string, cause: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** @throws StartError with the reason, when the runtime says that the step cannot be done */
export async function failingAs<T>(reason: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (err) {
    // A runtime that is gone or at it already says nothing about the container.
    if (err instanceof RuntimeError && !['Unavailable', 'Cancelled', 'AlreadyExists'].includes(err.code)) {
      throw new StartError(reason, err.message, err);
    }
    throw err;
  }
}

/** An earlier life of the agent began it, and the runtime goes on with it: no failure, only to be looked at again. */
export const isUnderWay = (err: unknown): boolean =>
  err instanceof RuntimeError && err.code === 'AlreadyExists';

export function startFailure(err: unknown): StartFailure {
  const message = messageOf(err);
  if (err instanceof ImageError) {
    const { reason, retryAtMs } = err;
    return {
      reason,
      message,
      ...(retryAtMs === undefined ? {} : { retryInMs: Math.max(retryAtMs - Date.now(), 0) }),
    };
  }
  if (err instanceof ContainerConfigError || err instanceof StartError)
    return { reason: err.reason, message };
  return {
    reason: 'ContainerCreating',
    message,
    ...(err instanceof VolumeError && err.isTold && { retryAtMostMs: toldRetryMs }),
  };
}
