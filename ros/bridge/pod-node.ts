/** The managed node of one pod: the services of rcl_lifecycle, its transition events, and the pod's status. */

import type { LifecycleState, LifecycleTransition } from '../../src/pods/lifecycle-machine.ts';
import type { Answer } from '../agent-port.ts';
import {
  ChangeState,
  GetAvailableStates,
  GetAvailableTransitions,
  GetState,
  TransitionEvent,
} from '../messages/gen/lifecycle_msgs.ts';
import { PodStatus } from '../messages/gen/roslet_msgs.ts';
import type { Publisher, RosNode, RosTransport } from '../transport.ts';
import {
  allStates,
  allTransitions,
  requested,
  stateMessage,
  stepsBetween,
  transitionsFrom,
} from './lifecycle.ts';
import { fullName, type PodNodeName } from './names.ts';
import { serveParameters } from './parameters.ts';
import { defaultQos, latchedQos } from './qos.ts';

export class PodNode {
  readonly #node: RosNode;
  readonly #status: Publisher<PodStatus>;
  readonly #events: Publisher<TransitionEvent>;
  #state: LifecycleState;
  /** Fully qualified. */
  readonly name: string;

  /** Shown in `state` without an event: nothing has changed for those who knew the pod from an earlier life of the agent. */
  constructor(
    transport: RosTransport,
    { name, namespace }: PodNodeName,
    state: LifecycleState,
    change: (transition: LifecycleTransition) => Promise<Answer>,
  ) {
    this.#state = state;
    this.name = fullName({ name, namespace });
    const node = transport.createNode(name, namespace);
    this.#node = node;
    const own = (topic: string) => `${namespace}/${name}/${topic}`;
    try {
      this.#status = node.createPublisher(own('status'), PodStatus, latchedQos);
      this.#events = node.createPublisher(own('transition_event'), TransitionEvent, defaultQos);
      node.createService(own('get_state'), GetState, () => ({ current_state: stateMessage(this.#state) }));
      node.createService(own('get_available_states'), GetAvailableStates, () => ({
        available_states: allStates(),
      }));
      node.createService(own('get_available_transitions'), GetAvailableTransitions, () => ({
        available_transitions: transitionsFrom(this.#state),
      }));
      node.createService(own('get_transition_graph'), GetAvailableTransitions, () => ({
        available_transitions: allTransitions(),
      }));
      node.createService(own('change_state'), ChangeState, async ({ transition }) => {
        const asked = requested(this.#state, transition);
        // Its refusal has no field for a reason: the agent's event and log have it.
        return { success: asked !== undefined && (await change(asked)).success };
      });
      serveParameters(node, `${namespace}/${name}`, {}, "read-only: change the pod's manifest");
    } catch (err) {
      // Half a node would only take room.
      node.close();
      throw err;
    }
  }

  publish(status: PodStatus): void {
    this.#status.publish(status);
  }

  /** Tells every step on the way to the state. */
  show(state: LifecycleState, hasFailed: boolean, nowMs: number): void {
    for (const { goal_state, start_state, transition } of stepsBetween(this.#state, state, hasFailed)) {
      this.#events.publish({
        timestamp: BigInt(Math.round(nowMs)) * 1_000_000n,
        transition,
        start_state,
        goal_state,
      });
    }
    this.#state = state;
  }

  close(): void {
    this.#node.close();
  }
}
