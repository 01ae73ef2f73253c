/**
 * Alive while the other end of a bond (ROS package `bond`) is there: it sends its status again and again within the
 * timeout that it names, and says when it leaves.
 */
import * as bond from '../messages/gen/bond.ts';
import type { RosFinding, RosProbeSpec, RosWatch } from '../prober.ts';
import type { WatchContext } from './kinds.ts';
import { clockTime, shortTime } from './words.ts';

export function watchBond(
  { node }: WatchContext,
  { topic, id }: Extract<RosProbeSpec, { kind: 'bond' }>,
  onChange: () => void,
): RosWatch {
  const sinceMs = performance.now();
  /** By instance: a process that was started anew is another instance under the same id. */
  const peers = new Map<string, { lastMs: number; timeoutMs: number; isActive: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  const subscription = node.createSubscription(
    topic,
    bond.Status,
    { reliability: 'best_effort', durability: 'volatile', history: 'keep_last', depth: 10 },
    (status, { receivedMs }) => {
      if (status.id !== id) return;
      const before = check().state;
      const seconds = status.heartbeat_timeout > 0 ? status.heartbeat_timeout : defaultTimeoutSeconds;
      peers.set(status.instance_id, {
        lastMs: receivedMs,
        timeoutMs: seconds * 1000,
        isActive: status.active,
      });
      forget();
      clearTimeout(timer);
      timer = setTimeout(onChange, Math.min(seconds * 1000, longestTimerMs) + 1);
      if (check().state !== before) onChange();
    },
  );

  /** Whoever was gone for long does not fill the memory. */
  function forget(): void {
    const oldest = [...peers].sort(([, a], [, b]) => a.lastMs - b.lastMs);
    for (const [instance] of oldest.slice(0, Math.max(0, peers.size - mostInstances))) peers.delete(instance);
  }

  function check(): RosFinding {
    const nowMs = performance.now();
    const last = [...peers.values()].sort((a, b) => b.lastMs - a.lastMs)[0];
    if (last === undefined) {
      return { state: 'missed', atMs: sinceMs, message: `no bond ${id} on ${topic} so far` };
    }
    const { lastMs } = last;
    const alive = [...peers.values()].some((p) => p.isActive && nowMs - p.lastMs <= p.timeoutMs);
    if (alive) return { state: 'alive', atMs: lastMs, lastMs, message: `the bond ${id} holds` };
    const message = last.isActive
      ? `the bond ${id} on ${topic} is silent for ${shortTime(nowMs - lastMs)}, timeout ${shortTime(last.timeoutMs)}, the last sign came at ${clockTime(lastMs)}`
      : `the bond ${id} on ${topic} was broken by its other end at ${clockTime(lastMs)}`;
    return { state: 'missed', atMs: last.isActive ? lastMs + last.timeoutMs : lastMs, lastMs, message };
  }

  return {
    check,
    gaps: () => undefined,
    close() {
      clearTimeout(timer);
      subscription.close();
    },
  };
}

/** DEFAULT_HEARTBEAT_TIMEOUT of bondcpp. */
const defaultTimeoutSeconds = 4;
const mostInstances = 16;
const longestTimerMs = 24 * 3_600_000;
