/** Alive while a matched writer asserts its DDS liveliness within the lease. */
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import { watchOwnWriters } from './own-writers.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';
import { shortTime } from './words.ts';

export function watchLiveliness(
  context: WatchContext,
  { topic, leaseMs }: Extract<RosProbeSpec, { kind: 'liveliness' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  let changedMs = performance.now();
  const own = watchOwnWriters(context, topic, target, { livelinessLeaseMs: leaseMs }, (event) => {
    if (event.event === 'heard' || event.event === 'silent') return;
    changedMs = event.atMs;
    onChange();
  });
  return {
    check(): RosFinding {
      const alive = own.watch.writers().some((writer) => writer.isAccepted && writer.alive);
      if (alive) return { state: 'alive', atMs: changedMs, message: `a publisher of ${topic} is alive` };
      const message =
        `no publisher of ${topic} asserts its liveliness within ${shortTime(leaseMs)}${own.aside()}; ` +
        'a publisher has to offer a liveliness lease that is as short';
      return own.missed({ atMs: changedMs, message });
    },
    gaps: () => undefined,
    close: () => own.close(),
  };
}
