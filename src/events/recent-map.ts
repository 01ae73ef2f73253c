/** A map that holds a bounded number of entries and forgets the one that was not touched for longest. */
export interface RecentMap<V> {
  /** The entry of the key, made anew when it is not (or no longer) there. */
  touch(key: string, make: () => V): V;
}

export function recentMap<V>(maxEntries: number): RecentMap<V> {
  const entries = new Map<string, V>();
  return {
    touch(key, make) {
      const value = entries.get(key) ?? make();
      entries.delete(key);
      entries.set(key, value);
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value!);
      return value;
    },
  };
}
