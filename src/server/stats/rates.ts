/** CPU use per time from a counter that only grows, for those who do not measure it themselves. */
export interface CpuRates {
  /** Since the last call with this key; undefined for the first one, or when the counter began anew. */
  nanoCores(key: string, timestampMs: number, usageCoreNanoSeconds: bigint): bigint | undefined;
}

interface Sample {
  timestampMs: number;
  usageCoreNanoSeconds: bigint;
  nanoCores: bigint | undefined;
}

/** Two looks at nearly the same time say little: until so long after the last one its rate stays. */
const minIntervalMs = 500;
const maxAgeMs = 10 * 60_000;

export function cpuRates(): CpuRates {
  const samples = new Map<string, Sample>();
  return {
    nanoCores: (key, timestampMs, usageCoreNanoSeconds) => {
      const last = samples.get(key);
      const intervalMs = last ? timestampMs - last.timestampMs : 0;
      if (last && intervalMs >= 0 && intervalMs < minIntervalMs) return last.nanoCores;
      const used = last ? usageCoreNanoSeconds - last.usageCoreNanoSeconds : -1n;
      const isUsable = used >= 0n && intervalMs > 0 && intervalMs < maxAgeMs;
      const nanoCores = isUsable ? (used * 1000n) / BigInt(Math.round(intervalMs)) : undefined;
      samples.set(key, { timestampMs, usageCoreNanoSeconds, nanoCores });
      for (const [each, sample] of samples)
        if (timestampMs - sample.timestampMs > maxAgeMs) samples.delete(each);
      return nanoCores;
    },
  };
}
