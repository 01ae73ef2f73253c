/** The policies of the topics that the bridge publishes. */
import type { QosProfile } from '../transport.ts';

/** What is so now: who comes later gets the last one. */
export const latchedQos: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 1,
};

export const eventsQos: QosProfile = { ...latchedQos, depth: 100 };

/** rcl's default, as rcl_lifecycle has it for transition_event. */
export const defaultQos: QosProfile = {
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
};

/** rcl's profile of /rosout. */
export const rosoutQos: QosProfile = { ...latchedQos, depth: 1000, lifespanMs: 10_000 };
