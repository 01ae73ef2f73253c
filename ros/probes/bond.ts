/**
 * Alive while the pod's end of a bond (ROS package `bond`) is there: it sends its status again and again within the
 * timeout that it names, and says when it leaves. The other end sends under the same id, and does not count.
 */
import * as bond from '../messages/gen/bond.ts';
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import { assertWritersTold, Judging, judgeOwners, participantOf } from './owners.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';
import { clockTime, shortTime } from './words.ts';

interface Peer {
  participant: string;
  lastMs: number;
  timeoutMs: number;
  isActive: boolean;
}

export function watchBond(
  context: WatchContext,
  { topic, id }: Extract<RosProbeSpec, { kind: 'bond' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  assertWritersTold(context);
  const sinceMs = performance.now();
  /** By participant and instance: a process that was started anew is another instance under the same id. */
  const peers = new Map<string, Peer>();
  let isElsewhere = false;
  let isToldAlive = false;
  let timer: NodeJS.Timeout | undefined;
  const judging = new Judging();
  const owners = judgeOwners(context, target, look);
  const subscription = context.node.createSubscription(
    topic,
    bond.Status,
    { reliability: 'best_effort', durability: 'volatile', history: 'keep_last', depth: 10 },
    (status, { writer, receivedMs }) => {
      const participant = participantOf(writer);
      if (status.id !== id) return;
      peers.set(`${participant} ${status.instance_id}`, {
        participant,
        lastMs: receivedMs,
        timeoutMs: timeoutMs(status.heartbeat_timeout),
        isActive: status.active,
      });
      look();
    },
  );

  /** Whoever is another's or was gone for long does not fill the memory. */
  function forget(): void {
    for (const [key, { participant }] of peers) {
      if (owners.counts(participant) !== false) continue;
      peers.delete(key);
      isElsewhere = true;
    }
    const oldest = [...peers].sort(
      ([, a], [, b]) => Number(isCounted(a)) - Number(isCounted(b)) || a.lastMs - b.lastMs,
    );
    for (const [key] of oldest.slice(0, Math.max(0, peers.size - mostInstances))) peers.delete(key);
  }

  const isCounted = ({ participant }: Peer) => owners.counts(participant) === true;

  /** When silence will break the bond; in the past when it has, or has nobody. */
  function holdsUntilMs(): number {
    const active = [...peers.values()].filter((peer) => peer.isActive && isCounted(peer));
    return Math.max(0, ...active.map(({ lastMs, timeoutMs }) => lastMs + timeoutMs));
  }

  /** Tells news, and looks again when it is time. */
  function look(): void {
    forget();
    judging.note([...peers.values()].some(({ participant }) => owners.counts(participant) === undefined));
    clearTimeout(timer);
    const leftMs = holdsUntilMs() - performance.now();
    if (leftMs >= 0) timer = setTimeout(look, leftMs + 1);
    const isAlive = check().state === 'alive';
    if (isAlive === isToldAlive) return;
    isToldAlive = isAlive;
    onChange();
  }

  function check(): RosFinding {
    const nowMs = performance.now();
    const last = [...peers.values()].filter(isCounted).sort((a, b) => b.lastMs - a.lastMs)[0];
    if (last === undefined) {
      const aside = isElsewhere ? ' (an end of it that is not of this pod is not counted)' : '';
      return judging.missed({ atMs: sinceMs, message: `no bond ${id} on ${topic} so far${aside}` });
    }
    const { lastMs } = last;
    if (holdsUntilMs() >= nowMs)
      return { state: 'alive', atMs: lastMs, lastMs, message: `the bond ${id} holds` };
    const message = last.isActive
      ? `the bond ${id} on ${topic} is silent for ${shortTime(nowMs - lastMs)}, timeout ${shortTime(last.timeoutMs)}, the last sign came at ${clockTime(lastMs)}`
      : `the bond ${id} on ${topic} was broken by its other end at ${clockTime(lastMs)}`;
    return judging.missed({ atMs: last.isActive ? lastMs + last.timeoutMs : lastMs, lastMs, message });
  }

  return {
    check,
    gaps: () => undefined,
    close() {
      clearTimeout(timer);
      owners.close();
      subscription.close();
    },
  };
}

function timeoutMs(seconds: number): number {
  return Math.min(seconds > 0 ? seconds : defaultTimeoutSeconds, longestTimeoutSeconds) * 1000;
}

/** DEFAULT_HEARTBEAT_TIMEOUT of bondcpp. */
const defaultTimeoutSeconds = 4;
/** Who says that it is never silent is held to that. */
const longestTimeoutSeconds = 3600;
const mostInstances = 16;
