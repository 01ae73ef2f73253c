/**
 * The state machine of rcl_lifecycle: ids, labels and transitions, as its services and events tell them. Pure. What state
 * a pod is in is decided in the core; here is what peers are told of it.
 */
import { State, Transition, type TransitionDescription } from '../messages/gen/lifecycle_msgs.ts';

const S = State;
const T = Transition;

/** In the order in which rcl_lifecycle lists them. */
const ids = {
  unknown: S.PRIMARY_STATE_UNKNOWN,
  unconfigured: S.PRIMARY_STATE_UNCONFIGURED,
  inactive: S.PRIMARY_STATE_INACTIVE,
  active: S.PRIMARY_STATE_ACTIVE,
  finalized: S.PRIMARY_STATE_FINALIZED,
  configuring: S.TRANSITION_STATE_CONFIGURING,
  cleaningup: S.TRANSITION_STATE_CLEANINGUP,
  shuttingdown: S.TRANSITION_STATE_SHUTTINGDOWN,
  activating: S.TRANSITION_STATE_ACTIVATING,
  deactivating: S.TRANSITION_STATE_DEACTIVATING,
  errorprocessing: S.TRANSITION_STATE_ERRORPROCESSING,
} as const;

export type LifecycleLabel = Exclude<keyof typeof ids, 'unknown'>;
export type UserTransition = 'configure' | 'cleanup' | 'activate' | 'deactivate' | 'shutdown';

interface Edge {
  id: number;
  label: UserTransition | 'transition_success' | 'transition_failure' | 'transition_error';
  from: LifecycleLabel;
  to: LifecycleLabel;
}

const edge = (id: number, label: Edge['label'], from: LifecycleLabel, to: LifecycleLabel): Edge => ({
  id,
  label,
  from,
  to,
});

/** The three ways in which the work of a transition state ends. */
const ends = (
  [success, failure, error]: readonly [number, number, number],
  at: LifecycleLabel,
  [onSuccess, onFailure, onError]: readonly [LifecycleLabel, LifecycleLabel, LifecycleLabel],
): Edge[] => [
  edge(success, 'transition_success', at, onSuccess),
  edge(failure, 'transition_failure', at, onFailure),
  edge(error, 'transition_error', at, onError),
];

const edges: readonly Edge[] = [
  edge(T.TRANSITION_CONFIGURE, 'configure', 'unconfigured', 'configuring'),
  ...ends(
    [T.TRANSITION_ON_CONFIGURE_SUCCESS, T.TRANSITION_ON_CONFIGURE_FAILURE, T.TRANSITION_ON_CONFIGURE_ERROR],
    'configuring',
    ['inactive', 'unconfigured', 'errorprocessing'],
  ),
  edge(T.TRANSITION_CLEANUP, 'cleanup', 'inactive', 'cleaningup'),
  ...ends(
    [T.TRANSITION_ON_CLEANUP_SUCCESS, T.TRANSITION_ON_CLEANUP_FAILURE, T.TRANSITION_ON_CLEANUP_ERROR],
    'cleaningup',
    ['unconfigured', 'inactive', 'errorprocessing'],
  ),
  edge(T.TRANSITION_ACTIVATE, 'activate', 'inactive', 'activating'),
  ...ends(
    [T.TRANSITION_ON_ACTIVATE_SUCCESS, T.TRANSITION_ON_ACTIVATE_FAILURE, T.TRANSITION_ON_ACTIVATE_ERROR],
    'activating',
    ['active', 'inactive', 'errorprocessing'],
  ),
  edge(T.TRANSITION_DEACTIVATE, 'deactivate', 'active', 'deactivating'),
  ...ends(
    [
      T.TRANSITION_ON_DEACTIVATE_SUCCESS,
      T.TRANSITION_ON_DEACTIVATE_FAILURE,
      T.TRANSITION_ON_DEACTIVATE_ERROR,
    ],
    'deactivating',
    ['inactive', 'active', 'errorprocessing'],
  ),
  edge(T.TRANSITION_UNCONFIGURED_SHUTDOWN, 'shutdown', 'unconfigured', 'shuttingdown'),
  edge(T.TRANSITION_INACTIVE_SHUTDOWN, 'shutdown', 'inactive', 'shuttingdown'),
  edge(T.TRANSITION_ACTIVE_SHUTDOWN, 'shutdown', 'active', 'shuttingdown'),
  ...ends(
    [T.TRANSITION_ON_SHUTDOWN_SUCCESS, T.TRANSITION_ON_SHUTDOWN_FAILURE, T.TRANSITION_ON_SHUTDOWN_ERROR],
    'shuttingdown',
    ['finalized', 'finalized', 'errorprocessing'],
  ),
  ...ends(
    [T.TRANSITION_ON_ERROR_SUCCESS, T.TRANSITION_ON_ERROR_FAILURE, T.TRANSITION_ON_ERROR_ERROR],
    'errorprocessing',
    ['unconfigured', 'finalized', 'finalized'],
  ),
];

export const stateMessage = (label: keyof typeof ids): State => ({ id: ids[label], label });

export const allStates = (): State[] =>
  (Object.keys(ids) as (keyof typeof ids)[]).map((label) => stateMessage(label));

export const allTransitions = (): TransitionDescription[] => edges.map(describe);

/** Those that leave a state. */
export const transitionsFrom = (state: LifecycleLabel): TransitionDescription[] =>
  edges.filter(({ from }) => from === state).map(describe);

/**
 * What a request asks for in a state; undefined when that is not possible there. A label goes before an id, as in rclcpp.
 * That work has ended is not for others to say.
 */
export function requested(state: LifecycleLabel, { id, label }: Transition): UserTransition | undefined {
  const found = edges.find(
    (each) => each.from === state && (label === '' ? each.id === id : each.label === label),
  );
  return found === undefined || found.label.startsWith('transition_')
    ? undefined
    : (found.label as UserTransition);
}

/** The steps from one state to another, the fewest that there are; none when there is no way. */
export function stepsBetween(
  from: LifecycleLabel,
  to: LifecycleLabel,
  hasFailed = false,
): TransitionDescription[] {
  if (from === to) return [];
  const path =
    hasFailed && to === 'finalized' ? failedWay(from) : (way(from, to, true) ?? way(from, to, false));
  return (path ?? []).map(describe);
}

/** What ends with an error does so by way of the state for errors. */
function failedWay(from: LifecycleLabel): Edge[] | undefined {
  const failure = edges.filter(({ id }) => id === T.TRANSITION_ON_ERROR_FAILURE);
  const error = (at: LifecycleLabel) =>
    edges.filter((each) => each.from === at && each.to === 'errorprocessing');
  if (from === 'errorprocessing') return failure;
  if (error(from).length > 0) return [...error(from), ...failure];
  const down = way(from, 'shuttingdown', true);
  return down && [...down, ...error('shuttingdown'), ...failure];
}

/** Breadth first, in the order of the table: success before failure. Errors are the last that is thought of. */
function way(from: LifecycleLabel, to: LifecycleLabel, withoutErrors: boolean): Edge[] | undefined {
  const ways: Edge[][] = [[]];
  const seen = new Set<LifecycleLabel>([from]);
  for (const path of ways) {
    const at = path.at(-1)?.to ?? from;
    if (at === to) return path;
    for (const next of edges) {
      if (next.from !== at || seen.has(next.to) || (withoutErrors && next.to === 'errorprocessing')) continue;
      seen.add(next.to);
      ways.push([...path, next]);
    }
  }
  return undefined;
}

const describe = ({ from, id, label, to }: Edge): TransitionDescription => ({
  transition: { id, label },
  start_state: stateMessage(from),
  goal_state: stateMessage(to),
});
