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
   * limit of their own, and all when the node is short of something; and for what they use of the disk only where
   * that matters.
   */
  pods(
    signal: AbortSignal,
    matters: (pod: Pod) => boolean,
    needs: { disk: boolean },
  ): Promise<PodWithUsage[]>;
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

/**
 * Runs until the signal aborts. Pods are held to their own limits beside: to measure their files may take minutes, and
 * a node that is short of memory has none.
 */
export async function runEviction(options: EvictionManagerOptions, signal: AbortSignal): Promise<void> {
  let state = noEvictionState;
  let isEvictingForLimits = false;
  const whatFailed = 'cannot tell whether the node runs short of resources';
  await Promise.all([
    repeatedly(options, whatFailed, signal, async () => {
      state = await evictionRound(options, state, () => isEvictingForLimits, signal);
    }),
    repeatedly(options, 'cannot hold pods to their limits', signal, async () => {
      const overLimit = await podsOverLimit(options, signal);
      isEvictingForLimits = overLimit.length > 0;
      try {
        for (const eviction of overLimit) await evict(options, eviction);
      } finally {
        isEvictingForLimits = false;
      }
    }),
  ]);
}

async function repeatedly(
  { periodMs, log }: EvictionManagerOptions,
  whatFailed: string,
  signal: AbortSignal,
  round: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await round();
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error }, whatFailed);
    }
    await delay(periodMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Those that write more to the disk than their own limits allow. */
export async function podsOverLimit(
  options: EvictionManagerOptions,
  signal: AbortSignal,
): Promise<Eviction[]> {
  return storageLimitEvictions(await options.pods(signal, hasStorageLimit, { disk: true }));
}

/**
 * One look at the machine, and at most one pod evicted for the node's sake.
 * @param isRelieved whether a pod that goes for its own limit gives something back already
 */
export async function evictionRound(
  options: EvictionManagerOptions,
  last: EvictionState,
  isRelieved: () => boolean,
  signal: AbortSignal,
): Promise<EvictionState> {
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
    if (isRelieved()) return state;
    if (pods !== undefined) {
      options.log.warn(
        { signal: action.signal },
        `the node is low on ${action.signal}: no pod can be evicted`,
      );
      return state;
    }
    const disk = action.signal !== 'memory.available' && action.signal !== 'pid.available';
    // A pod whose usage cannot be had must not keep the node from telling its pressure.
    const used = options.pods(signal, () => true, { disk });
    pods = await orElse([], options, 'cannot tell what the pods use', used, signal);
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
  await options.evict(eviction);
}
