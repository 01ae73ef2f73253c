/**
 * Alive while the managed node of the pod reports the state: each of its servers is asked once it can be asked, then its
 * transition events tell. A process that died stays on the graph until its lease is over: who told last counts.
 */
import * as lifecycle from '../messages/gen/lifecycle_msgs.ts';
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import type { EndpointGid } from '../transport.ts';
import { assertWritersTold, Judging, judgeOwners, participantOf } from './owners.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';

export function watchLifecycle(
  context: WatchContext,
  spec: Extract<RosProbeSpec, { kind: 'lifecycle' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  assertWritersTold(context);
  const { node, log } = context;
  const closed = new AbortController();
  /** By server, in the order in which they told. */
  const states = new Map<EndpointGid, string>();
  const asked = new Set<EndpointGid>();
  let state: string | undefined;
  let changedMs = performance.now();

  const judging = new Judging();
  const owners = judgeOwners(context, target, look);
  const client = node.createClient(`${spec.node}/get_state`, lifecycle.GetState, { onServers: look });
  const subscription = node.createSubscription(
    `${spec.node}/transition_event`,
    lifecycle.TransitionEvent,
    { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 10 },
    ({ goal_state }, { writer }) => {
      const server = ownServers().findLast((each) => participantOf(each) === participantOf(writer));
      if (server !== undefined) learn(server, goal_state.label);
    },
  );

  const ownServers = () => client.servers.filter((server) => owners.counts(participantOf(server)));

  function look(): void {
    const servers = ownServers();
    for (const server of states.keys()) if (!servers.includes(server)) states.delete(server);
    for (const server of servers) if (!states.has(server)) void ask(server);
    tell();
  }

  /** Until whoever may be of the pod has told. */
  function note(): void {
    const counts = client.servers.map((server) => owners.counts(participantOf(server)));
    const isWaiting = ownServers().some((server) => !states.has(server));
    if (counts.includes(undefined)) judging.note(true);
    else judging.note(isWaiting, 'a node of the pod is being asked');
  }

  async function ask(server: EndpointGid): Promise<void> {
    if (asked.has(server)) return;
    asked.add(server);
    try {
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(answerMs)]);
      const { current_state } = await client.call({}, signal, server);
      // An event that came meanwhile is newer than the answer.
      if (!states.has(server) && ownServers().includes(server)) learn(server, current_state.label);
    } catch (err) {
      if (!closed.signal.aborted) log.debug({ err, node: spec.node }, 'no answer from get_state');
    } finally {
      asked.delete(server);
    }
  }

  function learn(server: EndpointGid, label: string): void {
    states.delete(server);
    states.set(server, label);
    tell();
  }

  function tell(): void {
    note();
    const next = [...states.values()].at(-1);
    if (next === state) return;
    state = next;
    changedMs = performance.now();
    onChange();
  }

  // A node that did not answer in time is asked again.
  const timer = setInterval(look, answerMs);

  return {
    check(): RosFinding {
      const at = { atMs: changedMs };
      if (state === spec.state) return { ...at, state: 'alive', message: `${spec.node} is ${state}` };
      return judging.missed({ ...at, message: missed() });
    },
    gaps: () => undefined,
    close() {
      closed.abort(new Error('the probe was stopped'));
      clearInterval(timer);
      owners.close();
      subscription.close();
      client.close();
    },
  };

  function missed(): string {
    if (state !== undefined) return `the node ${spec.node} is ${state}, not ${spec.state}`;
    const isElsewhere = client.servers.some((server) => owners.counts(participantOf(server)) === false);
    return isElsewhere
      ? `the node ${spec.node} that tells its lifecycle state is not of this pod`
      : `the node ${spec.node} does not tell its lifecycle state`;
  }
}

const answerMs = 2000;
