/** Alive while data flows: catches a driver that is up but silent, slow, or stuck on old data. */
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import type { WatchStats } from '../transport.ts';
import { watchOwnWriters } from './own-writers.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';
import { clockTime, shortTime } from './words.ts';

export function watchTopicRate(
  context: WatchContext,
  { topic, minRateHz, maxAgeMs }: Extract<RosProbeSpec, { kind: 'topic' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  // Long enough for a rate that is kept to show in it whatever the moment.
  const windowMs = Math.max(shortestWindowMs, (samplesInWindow / minRateHz) * 1000);
  /** As it was told last, and since when it is so. */
  let last: RosFinding['state'] = 'missed';
  let sinceMs = performance.now();
  const own = watchOwnWriters(context, topic, target, { windowMs, maxSilenceMs: windowMs }, ({ event }) => {
    if (event === 'heard' || event === 'silent') look();
  });
  // Silence tells itself; that data comes too slowly has to be looked for.
  const timer = setInterval(look, windowMs / 2);

  function look(): void {
    const { state, atMs } = check();
    if (state === last) return;
    last = state;
    sinceMs = atMs;
    onChange();
  }

  /** Changes nothing, whoever asks: what it tells is news until `look` has told it. */
  function check(): RosFinding {
    const stats = own.watch.stats();
    const problem = problemOf(stats);
    const { lastSampleMs: lastMs } = stats;
    const seen = { atMs: performance.now(), ...(lastMs === undefined ? {} : { lastMs }) };
    const found: RosFinding =
      problem === undefined
        ? { ...seen, state: 'alive', message: `data flows on ${topic}` }
        : own.missed({ ...seen, message: problem });
    return found.state === last ? { ...found, atMs: sinceMs } : found;
  }

  function problemOf({ rateHz, lastSampleMs: lastMs, lastSourceTimeMs }: WatchStats): string | undefined {
    if (lastMs === undefined) return `no data on ${topic} so far${own.aside()}`;
    // The edge of the window may cut one sample off.
    if (rateHz < minRateHz - 1000 / windowMs) {
      return `data on ${topic} comes at ${rateHz.toFixed(1)} Hz, at least ${minRateHz} Hz is asked for; the last came at ${clockTime(lastMs)}${own.aside()}`;
    }
    if (maxAgeMs === undefined || lastSourceTimeMs === undefined) return undefined;
    const receivedAtMs = Date.now() - (performance.now() - lastMs);
    const ageMs = receivedAtMs - lastSourceTimeMs;
    if (ageMs <= maxAgeMs) return undefined;
    return `data on ${topic} is ${shortTime(ageMs)} old when it comes, at most ${shortTime(maxAgeMs)} is asked for`;
  }

  return {
    check,
    gaps: () => own.watch.stats().gaps,
    close() {
      clearInterval(timer);
      own.close();
    },
  };
}

const shortestWindowMs = 1000;
const samplesInWindow = 3;
