/** Carries the actions of a plan out, one after the other; kills go on in the background. */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Action } from './actions.ts';
import type { ActualPod } from './actual.ts';
import type { StartFailure } from './effects/failure.ts';
import type { PodEffects } from './effects.ts';
import type { Failures } from './failures.ts';
import type { Kills } from './kills.ts';
import type { PodRecord } from './pod-record.ts';
import type { Resizing } from './resizing.ts';
import type { Turns } from './turns.ts';

export interface CarryOutContext {
  record: Readonly<PodRecord>;
  actual: ActualPod;
  runtime: Pick<Runtime, 'stopPodSandbox' | 'removeContainer'>;
  effects: Pick<PodEffects, 'createSandbox' | 'pullImage' | 'startContainer'>;
  turns: Turns;
  failures: Failures;
  kills: Pick<Kills, 'begin'>;
  resizing: Pick<Resizing, 'retryAtMs'>;
  /** Returns the pod as it is after it. */
  resize(names: readonly string[], signal: AbortSignal): Promise<ActualPod>;
  /** Gets the containers whose image was made sure of. */
  pulled: Set<string>;
}

export interface Outcome {
  /** Anything was tried in the runtime, so that it must be asked again. */
  acted: boolean;
  /** When what failed before is to be tried again, on the monotonic clock. */
  retryAtMs: number | undefined;
}

export async function carryOut(
  actions: readonly Action[],
  context: CarryOutContext,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime, turns, failures, kills, pulled, resizing, record } = context;
  let { actual } = context;
  const outcome: Outcome = { acted: false, retryAtMs: undefined };
  const isDue = (retryAtMs: number | undefined): boolean => {
    if (retryAtMs === undefined) return true;
    outcome.retryAtMs = Math.min(outcome.retryAtMs ?? retryAtMs, retryAtMs);
    return false;
  };
  for (const action of actions) {
    signal.throwIfAborted();
    switch (action.do) {
      case 'killContainer':
        kills.begin(action);
        continue;
      case 'resize':
        if (!isDue(resizing.retryAtMs)) continue;
        actual = await context.resize(action.names, signal);
        break;
      case 'stopSandbox':
        await turns(
          'stopSandbox',
          record.pod,
          () => runtime.stopPodSandbox(action.podSandboxId, signal),
          signal,
        );
        break;
      case 'removeContainer':
        await runtime.removeContainer(action.containerId, signal);
        break;
      default: {
        const subject = action.do === 'createSandbox' ? '' : action.name;
        if (!isDue(failures.retryAtMs(subject))) continue;
        const { news } = failures;
        const failed = await attempt(action, { ...context, actual }, signal);
        if (failed !== undefined) failures.add(subject, failed, news);
        else {
          failures.delete(subject);
          if (action.do === 'pullImage') pulled.add(subject);
        }
      }
    }
    outcome.acted = true;
  }
  return outcome;
}

function attempt(
  action: Extract<Action, { do: 'createSandbox' | 'startContainer' | 'pullImage' }>,
  { effects, record: { pod }, actual }: CarryOutContext,
  signal: AbortSignal,
): Promise<StartFailure | undefined> {
  switch (action.do) {
    case 'createSandbox':
      return effects.createSandbox(pod, action, signal);
    case 'pullImage':
      return effects.pullImage(pod, action, actual, signal);
    case 'startContainer':
      return effects.startContainer(pod, action, actual, signal);
  }
}
