/**
 * A pod as a managed (lifecycle) node of ROS 2 sees it: how far it is to be brought up, which is desired state and
 * survives the agent, and how far it has come, which is actual. Pure.
 */
import type { PodStatus } from '../api/core.gen.ts';
import type { Plan, Waiting } from './actions.ts';
import type { LifecycleState, LifecycleTransition } from './lifecycle-machine.ts';

/**
 * `unconfigured`: known, nothing of it on the machine. `inactive`: admitted, images pulled, volumes mounted, sandbox
 * made, no container. `active`: init containers and containers run.
 */
export type LifecycleLevel = 'unconfigured' | 'inactive' | 'active';

/** Of a pod's worker, for the ROS bridge and for pods that start after this one. */
export interface PodLifecycle {
  goal: LifecycleLevel;
  reached: LifecycleLevel;
  /** It is going down for good. */
  isStopping: boolean;
  /** Nobody wants it any more. */
  isUnwanted: boolean;
  /** Nothing of it will run again. */
  isEnded: boolean;
  /** For what it waits before its containers start. */
  waitsFor: readonly string[];
  /** Why it does not get further by itself soon. */
  problem?: Waiting;
}

/** Shown while a pod is kept from running by its goal. */
export const whyNotActive: Readonly<Record<Exclude<LifecycleLevel, 'active'>, Waiting>> = {
  unconfigured: {
    reason: 'Unconfigured',
    message: 'nothing of the pod is on the machine until it is configured',
  },
  inactive: {
    reason: 'Inactive',
    message: 'the pod is prepared and its containers start when it is activated',
  },
};

export const waitingMessage = (unmet: readonly string[]): string => `waits for ${unmet.join(', ')}`;

/** Reason of containers that wait for other pods or for parts of the ROS graph. */
export const startConditionReason = 'StartConditionUnmet';

export interface ReachedInput {
  before: LifecycleLevel;
  goal: LifecycleLevel;
  plan: Plan;
  /** One that can hold containers. */
  hasSandbox: boolean;
  /** Whether there are containers of the pod, ended ones included. */
  hasContainers: boolean;
  /** Everything of the pod was taken off the machine. */
  isCleared: boolean;
  status: PodStatus;
}

/**
 * What was reached stays reached while the goal asks for it: restarts of containers are the supervision's matter. But
 * with its sandbox all of the pod is gone, as after a reboot, and others that start after it wait for it again.
 */
export function reachedLevel({
  before,
  goal,
  plan,
  hasSandbox,
  hasContainers,
  isCleared,
  status,
}: ReachedInput): LifecycleLevel {
  if (goal === 'active' && isReady(status)) return 'active';
  if (goal === 'active' && before === 'active') return hasSandbox ? 'active' : 'unconfigured';
  if (before === 'active') return hasContainers ? 'active' : 'inactive';
  if (goal === 'unconfigured') return isCleared ? 'unconfigured' : before;
  return plan.prepared ? 'inactive' : before;
}

const isReady = (status: PodStatus): boolean =>
  status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

/** A change that was asked for and has not ended. `isFailing`: it did not work, and what it did is being undone. */
export interface LifecycleRequest {
  transition: LifecycleTransition;
  isFailing: boolean;
}

/**
 * The state that is shown, a function of what is and what is wanted alone. A transition state means that work is going
 * on: a pod that nobody asked to be active just now and that waits for others, or for its next try, is as far as it is.
 */
export function lifecycleState(pod: PodLifecycle, request: LifecycleRequest | undefined): LifecycleState {
  const { goal, isEnded, isStopping, problem, reached, waitsFor } = pod;
  if (isEnded) return 'finalized';
  if (isStopping || request?.transition === 'shutdown') return 'shuttingdown';
  if (request?.isFailing) return 'errorprocessing';
  const isIdle = request === undefined && (problem !== undefined || waitsFor.length > 0);
  switch (reached) {
    case 'unconfigured':
      return goal === 'unconfigured' || isIdle ? 'unconfigured' : 'configuring';
    case 'inactive':
      if (goal === 'unconfigured') return 'cleaningup';
      return goal === 'inactive' || isIdle ? 'inactive' : 'activating';
    case 'active':
      return goal === 'active' ? 'active' : 'deactivating';
  }
}
