/** Alive while samples of any type come, no further apart than the deadline. */
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import { watchOwnWriters } from './own-writers.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';
import { clockTime, shortTime } from './words.ts';

export function watchHeartbeat(
  context: WatchContext,
  { topic, deadlineMs }: Extract<RosProbeSpec, { kind: 'heartbeat' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  const sinceMs = performance.now();
  const own = watchOwnWriters(context, topic, target, { maxSilenceMs: deadlineMs }, ({ event }) => {
    if (event === 'heard' || event === 'silent') onChange();
  });
  return {
    check(): RosFinding {
      const { lastSampleMs: lastMs } = own.watch.stats();
      const nowMs = performance.now();
      if (lastMs === undefined) {
        const message = `no heartbeat on ${topic} so far${own.aside()}`;
        return own.missed({ atMs: sinceMs, message });
      }
      const silentMs = nowMs - lastMs;
      if (silentMs <= deadlineMs) {
        return { state: 'alive', atMs: lastMs, lastMs, message: `heartbeat on ${topic}` };
      }
      const message = `no heartbeat on ${topic} for ${shortTime(silentMs)}, deadline ${shortTime(deadlineMs)}, the last came at ${clockTime(lastMs)}${own.aside()}`;
      return own.missed({ atMs: lastMs + deadlineMs, lastMs, message });
    },
    gaps: () => own.watch.stats().gaps,
    close: () => own.close(),
  };
}
