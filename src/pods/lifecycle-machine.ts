/**
 * The state machine of a managed (lifecycle) node as rcl_lifecycle has it (design.ros2.org, Managed nodes): its states,
 * what may be asked for in each, and how the work of a transition state ends. Pure.
 */

export type LifecycleState =
  | 'unconfigured'
  | 'inactive'
  | 'active'
  | 'finalized'
  | 'configuring'
  | 'cleaningup'
  | 'shuttingdown'
  | 'activating'
  | 'deactivating'
  | 'errorprocessing';

/** What others may ask for. */
export const lifecycleTransitions = ['configure', 'cleanup', 'activate', 'deactivate', 'shutdown'] as const;
export type LifecycleTransition = (typeof lifecycleTransitions)[number];

/** How the work of a transition state ends, which is not for others to say. */
export type WorkEnd = 'transition_success' | 'transition_failure' | 'transition_error';

export interface LifecycleEdge {
  label: LifecycleTransition | WorkEnd;
  from: LifecycleState;
  to: LifecycleState;
}

const asked = (label: LifecycleTransition, from: LifecycleState, to: LifecycleState): LifecycleEdge => ({
  label,
  from,
  to,
});

/** The three ways in which the work of a transition state ends. */
const ends = (
  from: LifecycleState,
  [onSuccess, onFailure, onError]: readonly [LifecycleState, LifecycleState, LifecycleState],
): LifecycleEdge[] => [
  { label: 'transition_success', from, to: onSuccess },
  { label: 'transition_failure', from, to: onFailure },
  { label: 'transition_error', from, to: onError },
];

/** In the order in which rcl_lifecycle lists them. */
export const lifecycleEdges: readonly LifecycleEdge[] = [
  asked('configure', 'unconfigured', 'configuring'),
  ...ends('configuring', ['inactive', 'unconfigured', 'errorprocessing']),
  asked('cleanup', 'inactive', 'cleaningup'),
  ...ends('cleaningup', ['unconfigured', 'inactive', 'errorprocessing']),
  asked('activate', 'inactive', 'activating'),
  ...ends('activating', ['active', 'inactive', 'errorprocessing']),
  asked('deactivate', 'active', 'deactivating'),
  ...ends('deactivating', ['inactive', 'active', 'errorprocessing']),
  asked('shutdown', 'unconfigured', 'shuttingdown'),
  asked('shutdown', 'inactive', 'shuttingdown'),
  asked('shutdown', 'active', 'shuttingdown'),
  ...ends('shuttingdown', ['finalized', 'finalized', 'errorprocessing']),
  ...ends('errorprocessing', ['unconfigured', 'finalized', 'finalized']),
];

export const edgesFrom = (state: LifecycleState): LifecycleEdge[] =>
  lifecycleEdges.filter(({ from }) => from === state);

/** What may be asked for in a state. */
export const possibleTransitions = (state: LifecycleState): LifecycleTransition[] =>
  edgesFrom(state).flatMap(({ label }) => askable(label) ?? []);

export const askable = (label: string): LifecycleTransition | undefined =>
  lifecycleTransitions.find((each) => each === label);

/** The edges from one state to another, the fewest that there are; none when there is no way. */
export function edgesBetween(from: LifecycleState, to: LifecycleState, hasFailed = false): LifecycleEdge[] {
  if (from === to) return [];
  const path =
    hasFailed && to === 'finalized' ? failedWay(from) : (way(from, to, true) ?? way(from, to, false));
  return path ?? [];
}

/** What ends with an error does so by way of the state for errors. */
function failedWay(from: LifecycleState): LifecycleEdge[] | undefined {
  const failure = edgesFrom('errorprocessing').filter(({ label }) => label === 'transition_failure');
  const error = (at: LifecycleState) => edgesFrom(at).filter(({ to }) => to === 'errorprocessing');
  if (from === 'errorprocessing') return failure;
  if (error(from).length > 0) return [...error(from), ...failure];
  const down = way(from, 'shuttingdown', true);
  return down && [...down, ...error('shuttingdown'), ...failure];
}

/** Breadth first, in the order of the table: success before failure. Errors are the last that is thought of. */
function way(from: LifecycleState, to: LifecycleState, withoutErrors: boolean): LifecycleEdge[] | undefined {
  const ways: LifecycleEdge[][] = [[]];
  const seen = new Set<LifecycleState>([from]);
  for (const path of ways) {
    const at = path.at(-1)?.to ?? from;
    if (at === to) return path;
    for (const next of edgesFrom(at)) {
      if (seen.has(next.to) || (withoutErrors && next.to === 'errorprocessing')) continue;
      seen.add(next.to);
      ways.push([...path, next]);
    }
  }
  return undefined;
}
