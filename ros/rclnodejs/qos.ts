/** QoS to rclnodejs, which has no periods, and from what it tells of endpoints. Numbers are those of rmw/types.h. */
import type { QosProfile } from '../transport.ts';
import type { RclEndpointInfo, Rclnodejs, RclQos, RclTime } from './api.ts';

const history = { keep_last: 1, keep_all: 2 } as const;
const reliability = { reliable: 1, best_effort: 2 } as const;
const durability = { transient_local: 1, volatile: 2 } as const;
const liveliness = { automatic: 1, manual_by_topic: 3 } as const;

/** One that keeps all would wait for a subscriber that is stopped, and the event loop with it. */
export const publisherQos = (rclnodejs: Rclnodejs, qos: QosProfile): RclQos =>
  rclQos(rclnodejs, qos.history === 'keep_all' ? { ...qos, history: 'keep_last', depth: mostKept } : qos);

const mostKept = 2000;

export const rclQos = (rclnodejs: Rclnodejs, qos: QosProfile): RclQos =>
  new rclnodejs.QoS(
    history[qos.history],
    qos.depth,
    reliability[qos.reliability],
    durability[qos.durability],
    liveliness[qos.liveliness ?? 'automatic'],
  );

/** History and depth are no matter between endpoints, and mostly not told. */
export function qosOf(told: RclEndpointInfo['qos_profile']): QosProfile {
  const deadlineMs = periodMs(told.deadline);
  const lifespanMs = periodMs(told.lifespan);
  const livelinessLeaseMs = periodMs(told.liveliness_lease_duration);
  return {
    reliability: told.reliability === reliability.best_effort ? 'best_effort' : 'reliable',
    durability: told.durability === durability.transient_local ? 'transient_local' : 'volatile',
    history: told.history === history.keep_all ? 'keep_all' : 'keep_last',
    depth: told.depth,
    liveliness: told.liveliness === liveliness.manual_by_topic ? 'manual_by_topic' : 'automatic',
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(lifespanMs === undefined ? {} : { lifespanMs }),
    ...(livelinessLeaseMs === undefined ? {} : { livelinessLeaseMs }),
  };
}

/** Undefined: infinite, which every rmw writes in another way. */
function periodMs({ nanoseconds, seconds }: RclTime): number | undefined {
  if (seconds > maxSeconds || (seconds === 0n && nanoseconds === 0)) return undefined;
  return Number(seconds) * 1000 + nanoseconds / 1e6;
}

/** Nothing that anybody waits for takes a year. */
const maxSeconds = 31_536_000n;
