/** Every kind of `ros2-probe` on a transport that is there. Apart from prober.ts, which an agent without ROS has too. */
import type { Logger } from '../../src/log.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import { watchBond } from './bond.ts';
import { watchHeartbeat } from './heartbeat.ts';
import { watchLifecycle } from './lifecycle.ts';
import { watchLiveliness } from './liveliness.ts';
import { watchNode } from './node.ts';
import type { BeginWatch } from './prober.ts';
import { watchTopicRate } from './topic-rate.ts';

/** What every kind of watch works with. */
export interface WatchContext {
  transport: RosTransport;
  /** For subscriptions and clients of our own. */
  node: RosNode;
  log: Logger;
}

export const watchOn =
  (context: WatchContext): BeginWatch =>
  (spec, target, onChange) => {
    switch (spec.kind) {
      case 'heartbeat':
        return watchHeartbeat(context, spec, target, onChange);
      case 'liveliness':
        return watchLiveliness(context, spec, target, onChange);
      case 'node':
        return watchNode(context, spec, target, onChange);
      case 'lifecycle':
        return watchLifecycle(context, spec, onChange);
      case 'topic':
        return watchTopicRate(context, spec, target, onChange);
      case 'bond':
        return watchBond(context, spec, onChange);
    }
  };
