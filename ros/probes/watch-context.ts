/** What every kind of watch is given, and what it is. */
import type { Logger } from '../../src/log.ts';
import type { RosWatch } from '../prober.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import type { MachineFacts } from './ownership.ts';

/** What every kind of watch works with. */
export interface WatchContext extends MachineFacts {
  transport: RosTransport;
  /** For subscriptions and clients of our own. */
  node: RosNode;
  log: Logger;
}

/** What each kind knows itself. */
export type KindWatch = Omit<RosWatch, 'whyUnheard'>;
