/**
 * How long the attempts of one probe took, in a fixed few hundred bytes however many there are: counted in classes
 * that each are 9 % wider than the one before, which is as far as a percentile can be wrong.
 */
export interface LatencySummary {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** As a histogram has it. */
export interface LatencyCounts {
  /** How many took at most each of the bounds that were asked for, and those before. */
  atMost: number[];
  count: number;
  sumMs: number;
}

export interface Latencies {
  record(ms: number): void;
  summary(): LatencySummary;
  counts(boundsMs: readonly number[]): LatencyCounts;
}

export function latencies(): Latencies {
  const counts = new Uint32Array(classes);
  let count = 0;
  let sumMs = 0;
  let maxMs = 0;

  /** The upper end of the class that holds the percentile. */
  function percentileMs(share: number): number {
    let seen = 0;
    const index = counts.findIndex((inClass) => {
      seen += inClass;
      return seen >= count * share;
    });
    return Math.min(maxMs, smallestMs * 2 ** ((index + 1) / classesPerDoubling));
  }

  return {
    record(ms) {
      const index = Math.floor(Math.log2(ms / smallestMs) * classesPerDoubling);
      counts[Math.min(classes - 1, Math.max(0, index))]! += 1;
      count += 1;
      sumMs += ms;
      maxMs = Math.max(maxMs, ms);
    },
    counts: (boundsMs) => ({
      atMost: boundsMs.map((boundMs) => {
        const below = Math.round(Math.log2(boundMs / smallestMs) * classesPerDoubling);
        return counts.subarray(0, Math.max(0, below)).reduce((total, inClass) => total + inClass, 0);
      }),
      count,
      sumMs,
    }),
    summary: () =>
      count === 0
        ? { count, p50Ms: 0, p99Ms: 0, maxMs }
        : { count, p50Ms: percentileMs(0.5), p99Ms: percentileMs(0.99), maxMs },
  };
}

/** 0.1 ms to about 2 minutes. */
const smallestMs = 0.1;
const classesPerDoubling = 8;
const classes = 20 * classesPerDoubling;
