/**
 * The state machine of managed nodes in the messages of lifecycle_msgs: the ids of states and transitions, and what a
 * request means. What state a pod is in is decided in the core; here is what peers are told of it. Pure.
 */
import {
  askable,
  edgesBetween,
  edgesFrom,
  type LifecycleEdge,
  type LifecycleState,
  type LifecycleTransition,
  lifecycleEdges,
  type WorkEnd,
} from '../../src/pods/lifecycle-machine.ts';
import { State, Transition, type TransitionDescription } from '../messages/gen/lifecycle_msgs.ts';

/** In the order in which rcl_lifecycle lists them. */
const stateIds: Readonly<Record<LifecycleState | 'unknown', number>> = {
  unknown: State.PRIMARY_STATE_UNKNOWN,
  unconfigured: State.PRIMARY_STATE_UNCONFIGURED,
  inactive: State.PRIMARY_STATE_INACTIVE,
  active: State.PRIMARY_STATE_ACTIVE,
  finalized: State.PRIMARY_STATE_FINALIZED,
  configuring: State.TRANSITION_STATE_CONFIGURING,
  cleaningup: State.TRANSITION_STATE_CLEANINGUP,
  shuttingdown: State.TRANSITION_STATE_SHUTTINGDOWN,
  activating: State.TRANSITION_STATE_ACTIVATING,
  deactivating: State.TRANSITION_STATE_DEACTIVATING,
  errorprocessing: State.TRANSITION_STATE_ERRORPROCESSING,
};

type IdsByLabel = Readonly<Partial<Record<LifecycleTransition | WorkEnd, number>>>;

const workEnds = (success: number, failure: number, error: number): IdsByLabel => ({
  transition_success: success,
  transition_failure: failure,
  transition_error: error,
});

const T = Transition;

/** The same label has another id in each state. */
const transitionIds: Readonly<Record<LifecycleState, IdsByLabel>> = {
  unconfigured: { configure: T.TRANSITION_CONFIGURE, shutdown: T.TRANSITION_UNCONFIGURED_SHUTDOWN },
  inactive: {
    cleanup: T.TRANSITION_CLEANUP,
    activate: T.TRANSITION_ACTIVATE,
    shutdown: T.TRANSITION_INACTIVE_SHUTDOWN,
  },
  active: { deactivate: T.TRANSITION_DEACTIVATE, shutdown: T.TRANSITION_ACTIVE_SHUTDOWN },
  finalized: {},
  configuring: workEnds(
    T.TRANSITION_ON_CONFIGURE_SUCCESS,
    T.TRANSITION_ON_CONFIGURE_FAILURE,
    T.TRANSITION_ON_CONFIGURE_ERROR,
  ),
  cleaningup: workEnds(
    T.TRANSITION_ON_CLEANUP_SUCCESS,
    T.TRANSITION_ON_CLEANUP_FAILURE,
    T.TRANSITION_ON_CLEANUP_ERROR,
  ),
  activating: workEnds(
    T.TRANSITION_ON_ACTIVATE_SUCCESS,
    T.TRANSITION_ON_ACTIVATE_FAILURE,
    T.TRANSITION_ON_ACTIVATE_ERROR,
  ),
  deactivating: workEnds(
    T.TRANSITION_ON_DEACTIVATE_SUCCESS,
    T.TRANSITION_ON_DEACTIVATE_FAILURE,
    T.TRANSITION_ON_DEACTIVATE_ERROR,
  ),
  shuttingdown: workEnds(
    T.TRANSITION_ON_SHUTDOWN_SUCCESS,
    T.TRANSITION_ON_SHUTDOWN_FAILURE,
    T.TRANSITION_ON_SHUTDOWN_ERROR,
  ),
  errorprocessing: workEnds(
    T.TRANSITION_ON_ERROR_SUCCESS,
    T.TRANSITION_ON_ERROR_FAILURE,
    T.TRANSITION_ON_ERROR_ERROR,
  ),
};

export const stateMessage = (label: LifecycleState | 'unknown'): State => ({ id: stateIds[label], label });

export const allStates = (): State[] =>
  (Object.keys(stateIds) as (keyof typeof stateIds)[]).map((label) => stateMessage(label));

export const allTransitions = (): TransitionDescription[] => lifecycleEdges.map(describe);

/** Those that leave a state. */
export const transitionsFrom = (state: LifecycleState): TransitionDescription[] =>
  edgesFrom(state).map(describe);

/** What a request asks for in a state; undefined when that is not possible there. A label goes before an id, as in rclcpp. */
export function requested(state: LifecycleState, { id, label }: Transition): LifecycleTransition | undefined {
  const found = edgesFrom(state).find((each) => (label === '' ? idOf(each) === id : each.label === label));
  return found === undefined ? undefined : askable(found.label);
}

/** The steps from one state to another, the fewest that there are; none when there is no way. */
export const stepsBetween = (
  from: LifecycleState,
  to: LifecycleState,
  hasFailed = false,
): TransitionDescription[] => edgesBetween(from, to, hasFailed).map(describe);

const idOf = ({ from, label }: LifecycleEdge): number => transitionIds[from][label]!;

const describe = (edge: LifecycleEdge): TransitionDescription => ({
  transition: { id: idOf(edge), label: edge.label },
  start_state: stateMessage(edge.from),
  goal_state: stateMessage(edge.to),
});
