/**
 * How many pods are brought up and taken down at the same time. The runtimes need the processors for it, and all at once
 * would be done no sooner than a few at a time, but all of them late: of fifty pods the first would run when the last does.
 * So what is nearly done goes first, and of pods that are yet to begin those of the highest priority. See docs/decisions/0032.
 *
 * A turn is about work that keeps the machine busy. What takes longer waits for something, and holds nobody up. Nor does what
 * is known to wait take a turn at all: the pull of an image, a hook.
 */
import { availableParallelism } from 'node:os';
import type { Pod } from '../api/core.gen.ts';
import { semaphore } from '../semaphore.ts';
import type { Action } from './actions.ts';

export type TurnKind =
  | Extract<Action['do'], 'startContainer' | 'stopSandbox' | 'killContainer' | 'createSandbox'>
  | 'prepareSandbox';

/** Runs the work when its turn has come. @throws what it throws, or the signal's reason */
export type Turns = <T>(kind: TurnKind, pod: Pod, work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** @param size so many at once */
export function turns(size = Math.max(4, 2 * availableParallelism())): Turns {
  const place = semaphore(size);
  return async (kind, pod, work, signal) => {
    const giveBack = await place(signal, turnRank(kind, pod));
    const timer = setTimeout(giveBack, longestMs[kind]);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      giveBack();
    }
  };
}

/** The lower goes first: by kind, then by the priority of the pod (int32). */
export function turnRank(kind: TurnKind, pod: Pod): number {
  return order.indexOf(kind) * 2 ** 32 - (pod.spec?.priority ?? 0);
}

const order: readonly TurnKind[] = [
  'startContainer',
  'stopSandbox',
  'killContainer',
  'createSandbox',
  'prepareSandbox',
];

/**
 * Far longer than the work takes, but for a container that takes its grace and volumes that wait for a server: that is
 * little work and much waiting.
 */
const longestMs: Readonly<Record<TurnKind, number>> = {
  startContainer: 5000,
  stopSandbox: 5000,
  killContainer: 100,
  createSandbox: 5000,
  prepareSandbox: 200,
};
