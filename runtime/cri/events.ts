/**
 * What happens in the runtime, as a hint to look sooner. Two sources, one shape:
 *
 * - CRI GetContainerEvents, where each subscriber gets every event: containerd 2, CRI-O. How a container ended containerd
 *   tells by its own events, too, and sooner.
 * - containerd's own event service on the same socket for containerd 1: 1.6 has no CRI events, and 1.7 shares them
 *   between subscribers, so that one which died (an agent that was killed) takes the next event with it.
 *
 * A `resync` is told whenever a subscription begins: what happened before it was not seen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../src/log.ts';
import type { RuntimeEvent, RuntimeVersion } from '../runtime.ts';
import type { Connection } from './connection.ts';
import { noteEnds, subscribeContainerd } from './containerd-events.ts';
import { subscribeCri } from './cri-events.ts';
import { hasCode } from './errors.ts';
import type { Exits } from './exits.ts';
import type { OwnCalls } from './own-calls.ts';
import type { Owners } from './owners.ts';
import type { Subscription } from './subscription.ts';

export interface EventSources {
  connection: Connection;
  owners: Owners;
  exits: Exits;
  ownCalls: OwnCalls;
  log: Logger;
  version(signal: AbortSignal): Promise<RuntimeVersion>;
  /** Resolves when the runtime has got what was subscribed to. */
  subscribed(signal: AbortSignal): Promise<unknown>;
}

export async function* runtimeEvents(
  sources: EventSources,
  signal: AbortSignal,
): AsyncIterable<RuntimeEvent> {
  const reading = new AbortController();
  const both = AbortSignal.any([signal, reading.signal]);
  const queue = eventQueue(both);
  const subscribing = keepSubscribed(sources, queue.push, both);
  try {
    yield* queue.events();
  } finally {
    reading.abort();
    await subscribing;
  }
}

export function hasSharedEvents(version: RuntimeVersion): boolean {
  return isContainerd(version) && /^v?[01]\./.test(version.runtimeVersion);
}

const isContainerd = ({ runtimeName }: RuntimeVersion): boolean => runtimeName === 'containerd';

/** Half to one and a half times 50 ms, doubling up to half a second: a refused unix socket costs next to nothing. */
export function reconnectDelayMs(failures: number, random: number, longestMs = 500): number {
  return Math.min(longestMs, 50 * 2 ** Math.min(failures, 10) * (0.5 + random));
}

async function keepSubscribed(
  sources: EventSources,
  push: (event: RuntimeEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { connection, owners, exits, ownCalls, log } = sources;
  for (let failures = 0; !signal.aborted; failures++) {
    const attempt = new AbortController();
    const both = AbortSignal.any([signal, attempt.signal]);
    const subscription = { connection, owners, exits, ownCalls, push, signal: both };
    let noting: Promise<void> | undefined;
    try {
      const version = await sources.version(signal);
      const areShared = hasSharedEvents(version);
      const subscribed = (areShared ? subscribeContainerd : subscribeCri)(subscription);
      if (isContainerd(version) && !areShared) noting = keepNotingEnds(subscription, log);
      // The runtime does not confirm a subscription; that it answers a later call shows that it has got ours.
      const begun = async () => {
        await sources.subscribed(both);
        failures = 0;
        push({ type: 'resync', podSandboxId: '', containerId: '' });
      };
      await Promise.all([subscribed, begun()]);
    } catch (error) {
      if (signal.aborted) return;
      if (hasCode(error, 'Unimplemented')) {
        log.info(
          { endpoint: connection.endpoint },
          'the container runtime has no events; changes are seen by listing',
        );
        return;
      }
      if (failures === 0)
        log.warn({ reason: String(error) }, 'runtime events broke off; trying again until they are back');
    } finally {
      attempt.abort();
      await noting;
    }
    await sleep(reconnectDelayMs(failures, Math.random()), undefined, { signal }).catch(() => {});
  }
}

/** Nothing depends on it, so it neither ends the subscription beside it nor asks for a resync; it ends with it. */
async function keepNotingEnds(subscription: Subscription, log: Logger): Promise<void> {
  const { signal } = subscription;
  let isTold = false;
  for (let failures = 0; !signal.aborted; failures++) {
    const failure: unknown = await noteEnds(subscription).catch((error: unknown) => error);
    const delayMs = reconnectDelayMs(failures, Math.random(), longestNotingDelayMs);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
    // A runtime that goes away ends both subscriptions: the other one tells it.
    if (signal.aborted || failure === undefined) continue;
    const reason = String(failure);
    if (!isTold)
      log.warn({ reason }, "containerd's own events cannot be read; CRI tells of ends later than they");
    isTold = true;
    if (hasCode(failure, 'Unimplemented')) return;
  }
}

/** It is done without. */
const longestNotingDelayMs = 30_000;

/** More than this unread, and looking at everything is the cheaper answer. */
const maxQueued = 1000;

function eventQueue(signal: AbortSignal) {
  let queued: RuntimeEvent[] = [];
  let wake = () => {};
  signal.addEventListener('abort', () => wake(), { once: true });
  return {
    push: (event: RuntimeEvent) => {
      if (queued.length >= maxQueued) queued = [{ type: 'resync', podSandboxId: '', containerId: '' }];
      else queued.push(event);
      wake();
    },
    async *events() {
      while (!signal.aborted) {
        const event = queued.shift();
        if (event) yield event;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
