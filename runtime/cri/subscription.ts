/** One try to be told of what happens in the runtime, by either of its event services. */
import type { RuntimeEvent } from '../runtime.ts';
import type { Connection } from './connection.ts';
import type { Exits } from './exits.ts';
import type { OwnCalls } from './own-calls.ts';
import type { Owners } from './owners.ts';

export interface Subscription {
  connection: Connection;
  owners: Owners;
  exits: Exits;
  ownCalls: OwnCalls;
  signal: AbortSignal;
  push(event: RuntimeEvent): void;
}
