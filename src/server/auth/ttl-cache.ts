/** Answers of someone else, kept for as long as the answer itself says; those who ask at once share one question. */

export interface TtlCache<V> {
  /** What is kept under the key, else what `ask` gives. A failure is not kept. */
  get(key: string, ask: () => Promise<V>): Promise<V>;
}

export interface TtlCacheOptions<V> {
  ttlMs(value: V): number;
  /** The least recently kept go first. */
  maxEntries: number;
  /** Monotonic. */
  nowMs(): number;
}

export function ttlCache<V>({ ttlMs, maxEntries, nowMs }: TtlCacheOptions<V>): TtlCache<V> {
  const kept = new Map<string, { value: V; untilMs: number }>();
  const asked = new Map<string, Promise<V>>();

  function keep(key: string, value: V): void {
    kept.delete(key);
    if (ttlMs(value) <= 0) return;
    kept.set(key, { value, untilMs: nowMs() + ttlMs(value) });
    const [oldest] = kept.keys();
    if (kept.size > maxEntries && oldest !== undefined) kept.delete(oldest);
  }

  async function question(key: string, ask: () => Promise<V>): Promise<V> {
    try {
      const value = await ask();
      keep(key, value);
      return value;
    } finally {
      asked.delete(key);
    }
  }

  return {
    get: async (key, ask) => {
      const known = kept.get(key);
      if (known && known.untilMs > nowMs()) return known.value;
      const running = asked.get(key) ?? question(key, ask);
      asked.set(key, running);
      return await running;
    },
  };
}
