/** Alive while the managed node reports the state: asked once it can be asked, then by its transition events. */
import * as lifecycle from '../messages/gen/lifecycle_msgs.ts';
import type { RosFinding, RosProbeSpec, RosWatch } from '../prober.ts';
import type { WatchContext } from './kinds.ts';

export function watchLifecycle(
  { node, transport, log }: WatchContext,
  spec: Extract<RosProbeSpec, { kind: 'lifecycle' }>,
  onChange: () => void,
): RosWatch {
  const closed = new AbortController();
  let state: string | undefined;
  let changedMs = performance.now();
  let isAsking = false;

  function learn(next: string | undefined): void {
    if (next === state) return;
    state = next;
    changedMs = performance.now();
    onChange();
  }

  const client = node.createClient(`${spec.node}/get_state`, lifecycle.GetState);
  const subscription = node.createSubscription(
    `${spec.node}/transition_event`,
    lifecycle.TransitionEvent,
    { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 10 },
    ({ goal_state }) => learn(goal_state.label),
  );

  /** A node that is gone has no state; one that came back has not told its own yet. */
  async function ask(): Promise<void> {
    if (!client.isReady) {
      learn(undefined);
      return;
    }
    if (isAsking || state !== undefined) return;
    isAsking = true;
    try {
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(answerMs)]);
      const { current_state } = await client.call({}, signal);
      // An event that came meanwhile is newer than the answer.
      if (state === undefined) learn(current_state.label);
    } catch (err) {
      if (!closed.signal.aborted) log.debug({ err, node: spec.node }, 'no answer from get_state');
    } finally {
      isAsking = false;
    }
  }

  const unsubscribe = transport.graph.onChange(() => void ask());
  // A node that did not answer in time is asked again.
  const timer = setInterval(() => void ask(), answerMs);
  void ask();

  return {
    check(): RosFinding {
      const at = { atMs: changedMs };
      if (state === spec.state) return { ...at, state: 'alive', message: `${spec.node} is ${state}` };
      const message =
        state === undefined
          ? `the node ${spec.node} does not tell its lifecycle state`
          : `the node ${spec.node} is ${state}, not ${spec.state}`;
      return { ...at, state: 'missed', message };
    },
    gaps: () => undefined,
    close() {
      closed.abort(new Error('the probe was stopped'));
      clearInterval(timer);
      unsubscribe();
      subscription.close();
      client.close();
    },
  };
}

const answerMs = 2000;
