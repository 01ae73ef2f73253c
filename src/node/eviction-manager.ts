/** Watches what is left of the machine and has pods evicted when it is too little: the effects around the decision. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podKey } from '../pods/identity.ts';
import type { Pressure } from './conditions.ts';
import { type Eviction, type EvictionState, evictionDecision, noEvictionState } from './eviction.ts';
import type { PodWithUsage } from './eviction-rank.ts';
import type { Observations } from './machine-stats.ts';
import { hasStorageLimit, storageLimitEvictions } from './storage-limits.ts';
import type { EvictionSignal, Threshold } from './thresholds.ts';

export interface EvictionManagerOptions {
  thresholds: readonly Threshold[];
  transitionPeriodMs: number;
  maxPodGracePeriodSeconds: number;
  periodMs: number;
  observe(signal: AbortSignal): Promise<{ observations: Observations; dedicatedImageFs: boolean }>;
  /**
   * Running pods with what they use. Measuring costs time, so it is asked only for the pods that matter: those with a
   * limit of their own, and all when the node is short of something.
   */
  pods(signal: AbortSignal, matters: (pod: Pod) => boolean): Promise<PodWithUsage[]>;
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
  const usages = (matters: (pod: Pod) => boolean) =>
    orElse([], options, 'cannot tell what the pods use', options.pods(signal, matters), signal);
  const overLimit = storageLimitEvictions(await usages(hasStorageLimit));
  for (const eviction of overLimit) await evict(options, eviction);

  const reclaimed = new Set<EvictionSignal>();
  let pods: PodWithUsage[] | undefined;
  let state = last;
  for (;;) {
    const { observations, dedicatedImageFs } = await options.observe(signal);
    const decision = evictionDecision(
      {
        observations,
        dedicatedImageFs,
        thresholds: options.thresholds,
        pods: pods ?? [],
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
    if (action.do === 'nothing') return state;
    if (action.do === 'evict') {
      await evict(options, action);
      return state;
    }
    if (action.do === 'reclaim') {
      reclaimed.add(action.signal);
      options.log.warn(
        { signal: action.signal },
        `the node is low on ${action.signal}: removing what is not in use`,
      );
      await orElse(undefined, options, 'cannot remove what is not in use', options.reclaim(signal), signal);
      continue;
    }
    // What goes for its own limit already gives something back.
    if (overLimit.length > 0) return state;
    if (pods !== undefined) {
      options.log.warn(
        { signal: action.signal },
        `the node is low on ${action.signal}: no pod can be evicted`,
      );
      return state;
    }
    pods = await usages(() => true);
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
