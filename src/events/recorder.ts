/**
 * Keeps events as core/v1 Event objects in memory, correlated as client-go's recorder does: equal ones are counted,
 * similar ones combined, and an object that emits without end is slowed to one event of each type in five minutes
 * after a burst of 25: what goes well never costs a warning. Bounded for each object and in all; the ones repeated longest ago go first.
 */

import { randomUUID } from 'node:crypto';
import type { Event } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import type { EventRecorder, EventType, ObjectReference } from '../events.ts';
import { recentMap } from './recent-map.ts';
import { similarEvents } from './similar.ts';
import { type TokenBucket, tokenBucket } from './token-bucket.ts';

export interface EventLog extends EventRecorder {
  /** Least recently repeated first. */
  list(filter?: EventFilter): Event[];
  /** Tells of each new or repeated event. Returns the function that ends the subscription. */
  watch(listener: (event: Event) => void): () => void;
}

/** Every field that is given must match. */
export interface EventFilter {
  kind?: ObjectReference['kind'];
  namespace?: string;
  name?: string;
  uid?: string;
}

export interface EventLogOptions {
  /** Who tells of the events, as `kubectl describe` shows it. */
  component: string;
  nodeName: string;
  /** Wall clock: for the timestamps. */
  nowMs: () => number;
  /** For rates and intervals, which a step of the wall clock must not disturb. */
  monotonicMs: () => number;
  /** Of an earlier life of the agent, least recently repeated first: they go on to be counted. */
  remembered?: readonly Event[];
}

export function createEventLog({
  component,
  nodeName,
  nowMs,
  monotonicMs,
  remembered = [],
}: EventLogOptions): EventLog {
  const events = new Map<string, Event>();
  const countByObject = new Map<string, number>();
  const similar = similarEvents();
  const spamFilters = recentMap<TokenBucket>(maxSpamFilters);
  const listeners = new Set<(event: Event) => void>();
  let sequence = 0;

  function record(about: ObjectReference, type: EventType, reason: string, message: string): void {
    const object = objectKey(about);
    const group = groupKey(about, type, reason);
    const combined = similar.isOneTooMany(group, message, monotonicMs());
    const key = combined ? group : JSON.stringify([group, about.fieldPath, message]);
    const text = combined ? `${combinedPrefix}${message}` : message;
    const isSpam = !spamFilters.touch(JSON.stringify([object, type]), newSpamFilter).take(monotonicMs());
    const known = events.get(key);
    if (isSpam && !known) return;
    const event = known ? repeated(known, text) : fresh(about, type, reason, text);
    // Deleting first moves it to the end: the map is in the order of the last repetition.
    events.delete(key);
    events.set(key, event);
    if (!known) makeRoom(object);
    if (!isSpam) for (const listener of listeners) listener(event);
  }

  const repeated = (event: Event, message: string): Event => ({
    ...event,
    message,
    count: (event.count ?? 0) + 1,
    lastTimestamp: time(nowMs()),
  });

  function fresh(about: ObjectReference, type: EventType, reason: string, message: string): Event {
    const now = time(nowMs());
    sequence += 1;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${about.name}.${nowMs().toString(16)}${sequence.toString(16).padStart(5, '0')}`,
        namespace: about.namespace || 'default',
        uid: randomUUID(),
        creationTimestamp: now,
      },
      involvedObject: { apiVersion: 'v1', ...about },
      reason,
      message,
      source: { component, host: nodeName },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type,
      reportingComponent: component,
      reportingInstance: nodeName,
    };
  }

  function makeRoom(object: string): void {
    const count = (countByObject.get(object) ?? 0) + 1;
    countByObject.set(object, count);
    if (count > maxEventsPerObject) forgetOldest((event) => objectKey(event.involvedObject) === object);
    if (events.size > maxEvents) forgetOldest(() => true);
  }

  function forgetOldest(isMeant: (event: Event) => boolean): void {
    for (const [key, event] of events) {
      if (!isMeant(event)) continue;
      events.delete(key);
      const object = objectKey(event.involvedObject);
      const left = (countByObject.get(object) ?? 1) - 1;
      if (left > 0) countByObject.set(object, left);
      else countByObject.delete(object);
      return;
    }
  }

  for (const event of remembered) {
    const { involvedObject, type, reason, message = '' } = event;
    const group = groupKey(involvedObject, type, reason);
    const isCombined = message.startsWith(combinedPrefix);
    events.set(isCombined ? group : JSON.stringify([group, involvedObject.fieldPath, message]), event);
    makeRoom(objectKey(involvedObject));
  }

  return {
    event: record,
    list: (filter = {}) => [...events.values()].filter((event) => matches(event, filter)),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const maxEventsPerObject = 100;
const maxEvents = 2000;
const maxSpamFilters = 4096;
const spamBurst = 25;
const spamRefillMs = 5 * 60_000;

const newSpamFilter = (): TokenBucket => tokenBucket(spamBurst, spamRefillMs);

const objectKey = ({ kind, namespace, name, uid }: Event['involvedObject']): string =>
  JSON.stringify([kind, namespace, name, uid]);

const groupKey = (about: Event['involvedObject'], type: string | undefined, reason: string | undefined) =>
  JSON.stringify([objectKey(about), type, reason]);

const combinedPrefix = '(combined from similar events): ';

/** As metav1.Time is written: UTC, whole seconds. */

const matches = ({ involvedObject }: Event, filter: EventFilter): boolean =>
  Object.entries(filter).every(
    ([field, wanted]) => wanted === undefined || involvedObject[field as keyof EventFilter] === wanted,
  );
