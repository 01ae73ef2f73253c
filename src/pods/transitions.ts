/**
 * Changes of lifecycle state that somebody asked for, over ROS or the command line: one at a time for each pod. Each
 * sets the pod's goal and ends when the pod got there. One that brings a pod up fails when the pod cannot be brought up
 * or takes too long; then everything is taken down again, and the goal is `unconfigured`. Who deletes the pod or sets
 * another goal meanwhile goes first, and the change fails.
 */

import type { Pod } from '../api/core.gen.ts';
import { transitionTimeoutAnnotation } from '../api/validate/annotations.ts';
import { parseDuration } from '../config/duration.ts';
import { longestTimerMs } from '../timers.ts';
import { podUid } from './identity.ts';
import {
  type LifecycleLevel,
  type LifecycleRequest,
  lifecycleState,
  type PodLifecycle,
  waitingMessage,
} from './lifecycle.ts';
import { type LifecycleState, type LifecycleTransition, possibleTransitions } from './lifecycle-machine.ts';

export interface TransitionsOptions {
  /** Undefined when the pod is gone, or not seen yet. */
  lifecycle(uid: string): PodLifecycle | undefined;
  setGoal(
    uid: string,
    goal: LifecycleLevel,
  ): Promise<{ accepted: true } | { accepted: false; message: string }>;
  /** Begins to take the pod down for good. */
  shutDown(pod: Pod): Promise<void>;
  /** Called after every change of a pod. Returns the function that ends the subscription. */
  onPodChange(listener: () => void): () => void;
}

export interface TransitionResult {
  success: boolean;
  /** Why not. */
  message: string;
}

/** Time to bring a pod up, images included, unless it says otherwise. */
const defaultTimeoutMs = 120_000;

const goals: Readonly<Record<Exclude<LifecycleTransition, 'shutdown'>, LifecycleLevel>> = {
  configure: 'inactive',
  cleanup: 'unconfigured',
  activate: 'active',
  deactivate: 'inactive',
};

export class Transitions {
  readonly #o: TransitionsOptions;
  readonly #requests = new Map<string, LifecycleRequest>();
  readonly #listeners = new Set<(uid: string) => void>();

  constructor(options: TransitionsOptions) {
    this.#o = options;
  }

  /** Undefined when the pod is gone, or was not looked at yet since the agent started. */
  state(uid: string): LifecycleState | undefined {
    const pod = this.#o.lifecycle(uid);
    return pod === undefined ? undefined : lifecycleState(pod, this.#requests.get(uid));
  }

  /** Called when a request changes what state a pod is in. Returns the function that ends the subscription. */
  onChange(listener: (uid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the pod is there, or will not get there. */
  async change(pod: Pod, transition: LifecycleTransition, signal: AbortSignal): Promise<TransitionResult> {
    const uid = podUid(pod);
    const state = this.state(uid);
    const possible = state === undefined ? [] : possibleTransitions(state);
    if (!possible.includes(transition)) {
      return failed(`${transition} is not possible: the pod is ${state ?? 'not known yet'}`);
    }
    // While its goal is being kept the state is still the one before.
    if (this.#requests.has(uid)) return failed('another change is under way');
    const wasGoal = this.#o.lifecycle(uid)?.goal;
    this.#requests.set(uid, { transition, isFailing: false });
    try {
      if (transition !== 'shutdown') {
        const answer = await this.#o.setGoal(uid, goals[transition]);
        if (!answer.accepted) return failed(answer.message);
      }
      this.#tell(uid);
      if (transition === 'shutdown') return await this.#shutDown(pod, signal);
      // What stood in the way before somebody asked again is no answer.
      const bringsUp =
        (transition === 'configure' || transition === 'activate') && wasGoal !== goals[transition];
      return await this.#follow(pod, transition, bringsUp, signal);
    } finally {
      this.#requests.delete(uid);
      this.#tell(uid);
    }
  }

  async #shutDown(pod: Pod, signal: AbortSignal): Promise<TransitionResult> {
    await this.#o.shutDown(pod);
    await this.#until(signal, () => (this.#o.lifecycle(podUid(pod))?.isEnded ?? true) || undefined);
    return { success: true, message: '' };
  }

  async #follow(
    pod: Pod,
    transition: Exclude<LifecycleTransition, 'shutdown'>,
    endsWithProblem: boolean,
    signal: AbortSignal,
  ): Promise<TransitionResult> {
    const uid = podUid(pod);
    const goal = goals[transition];
    const isUp = transition === 'configure' || transition === 'activate';
    // What goes down has its grace and is killed then: that always ends.
    const ends = isUp
      ? AbortSignal.any([signal, AbortSignal.timeout(Math.min(timeoutMs(pod), longestTimerMs))])
      : signal;
    const result = await this.#until(ends, () => {
      const now = this.#o.lifecycle(uid);
      if (now === undefined || now.isEnded || now.isStopping) return failed('the pod ended');
      if (now.goal !== goal) return failed(`somebody else wants the pod ${now.goal}`);
      if (now.reached === goal) return { success: true, message: '' };
      if (endsWithProblem && now.problem !== undefined) return this.#problem(uid);
      return undefined;
    });
    signal.throwIfAborted();
    const outcome = result ?? this.#problem(uid, timeoutMs(pod));
    const stillOurs = this.#o.lifecycle(uid)?.goal === goal;
    if (!outcome.success && isUp && stillOurs && (await this.#o.setGoal(uid, 'unconfigured')).accepted) {
      this.#put(uid, { transition, isFailing: true });
      await this.#until(signal, () => {
        const now = this.#o.lifecycle(uid);
        return now?.reached === 'unconfigured' || now?.goal !== 'unconfigured' || now.isStopping || undefined;
      });
    }
    return outcome;
  }

  #problem(uid: string, afterMs?: number): TransitionResult {
    const { problem, waitsFor = [] } = this.#o.lifecycle(uid) ?? {};
    const waits = waitsFor.length === 0 ? undefined : waitingMessage(waitsFor);
    const why = problem === undefined ? waits : `${problem.reason}: ${problem.message}`;
    if (afterMs === undefined) return failed(why ?? '');
    return failed(`not done after ${afterMs / 1000} s${why === undefined ? '' : `: ${why}`}`);
  }

  #put(uid: string, request: LifecycleRequest): void {
    this.#requests.set(uid, request);
    this.#tell(uid);
  }

  #tell(uid: string): void {
    for (const listener of this.#listeners) listener(uid);
  }

  /** Resolves with the first thing that `look` returns, or with undefined when the signal aborts. */
  #until<T>(signal: AbortSignal, look: () => T | undefined): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (value: T | undefined) => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      };
      const onAbort = () => end(undefined);
      const check = () => {
        const value = look();
        if (value !== undefined) end(value);
      };
      const unsubscribe = this.#o.onPodChange(check);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) end(undefined);
      else check();
    });
  }
}

const timeoutMs = (pod: Pod): number =>
  parseDuration(pod.metadata?.annotations?.[transitionTimeoutAnnotation] ?? '') ?? defaultTimeoutMs;

const failed = (message: string): TransitionResult => ({ success: false, message });
