/** Watches what is left of the machine and has pods evicted when it is too little: the effects around the decision. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { podKey } from '../pods/identity.ts';
import type { Pressure } from './conditions.ts';
import { type Eviction, type EvictionState, evictionDecision, noEvictionState } from './eviction.ts';
import type { PodWithUsage } from './eviction-rank.ts';
import type { Observations } from './machine-stats.ts';
import { storageLimitEvictions } from './storage-limits.ts';
import type { EvictionSignal, Threshold } from './thresholds.ts';

export interface EvictionManagerOptions {
  thresholds: readonly Threshold[];
  transitionPeriodMs: number;
  maxPodGracePeriodSeconds: number;
  periodMs: number;
  observe(signal: AbortSignal): Promise<{ observations: Observations; dedicatedImageFs: boolean }>;
  /** Running pods with what they use; asked only when something is short or has a limit of its own. */
  pods(signal: AbortSignal): Promise<PodWithUsage[]>;
  /** Gives back what is held without need: unused images, dead containers. */
  reclaim(signal: AbortSignal): Promise<void>;
  /**
   * Ends the pod with phase Failed and reason Evicted. Resolves when it is down, or after a bounded time: what it
   * holds until then would have the next one evicted for nothing.
   */
  evict(eviction: Eviction): Promise<void>;
  onPressures(pressures: ReadonlySet<Pressure>): void;
  log: Logger;
}

/** Runs until the signal aborts. */
export async function runEviction(options: EvictionManagerOptions, signal: AbortSignal): Promise<void> {
  let state = noEvictionState;
  while (!signal.aborted) {
    try {
      state = await evictionRound(options, state, signal);
    } catch (error) {
      if (signal.aborted) return;
      options.log.error({ err: error }, 'cannot tell whether the node runs short of resources');
    }
    await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
  }
}

/** One look at the machine, and at most one pod evicted for the node's sake. */
export async function evictionRound(
  options: EvictionManagerOptions,
  last: EvictionState,
  signal: AbortSignal,
): Promise<EvictionState> {
  // A pod whose usage cannot be had must not keep the node from telling its pressure.
  const pods = await orElse([], options, 'cannot tell what the pods use', options.pods(signal), signal);
  const overLimit = storageLimitEvictions(pods);
  for (const eviction of overLimit) await evict(options, eviction);

  const reclaimed = new Set<EvictionSignal>();
  let state = last;
  for (;;) {
    const { observations, dedicatedImageFs } = await options.observe(signal);
    const decision = evictionDecision(
      {
        observations,
        dedicatedImageFs,
        thresholds: options.thresholds,
        // What goes for its own limit already gives something back.
        pods: overLimit.length > 0 ? [] : pods,
        nowMs: performance.now(),
        transitionPeriodMs: options.transitionPeriodMs,
        maxPodGracePeriodSeconds: options.maxPodGracePeriodSeconds,
        reclaimed,
      },
      state,
    );
    state = decision.state;
    options.onPressures(decision.pressures);
    const { action } = decision;
    if (action.do === 'evict') await evict(options, action);
    if (action.do === 'helpless' && overLimit.length === 0) {
      options.log.warn(
        { signal: action.signal },
        `the node is low on ${action.signal}: no pod can be evicted`,
      );
    }
    if (action.do !== 'reclaim') return state;
    reclaimed.add(action.signal);
    options.log.warn(
      { signal: action.signal },
      `the node is low on ${action.signal}: removing what is not in use`,
    );
    await orElse(undefined, options, 'cannot remove what is not in use', options.reclaim(signal), signal);
  }
}

async function orElse<T>(
  fallback: T,
  { log }: EvictionManagerOptions,
  what: string,
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    log.error({ err: error }, what);
    return fallback;
  }
}

async function evict(options: EvictionManagerOptions, eviction: Eviction): Promise<void> {
  const { pod, message, gracePeriodSeconds } = eviction;
  options.log.warn({ pod: podKey(pod), gracePeriodSeconds }, `pod is evicted: ${message}`);
  await options.evict({ pod, message, gracePeriodSeconds });
}
