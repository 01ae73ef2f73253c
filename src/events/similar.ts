/**
 * Recognizes events that differ in nothing but their message, as client-go's aggregator does: from the tenth
 * different message within ten minutes on they are told as one event. A message with a counter or a time in it can
 * so never push everything else out.
 */
import { recentMap } from './recent-map.ts';

export interface SimilarEvents {
  /** Whether this message is to be combined with the earlier ones of `key`. `nowMs` is monotonic. */
  isOneTooMany(key: string, message: string, nowMs: number): boolean;
}

export function similarEvents(): SimilarEvents {
  const groups = recentMap<{ messages: Set<string>; lastMs: number }>(maxGroups);
  return {
    isOneTooMany(key, message, nowMs) {
      const group = groups.touch(key, () => ({ messages: new Set(), lastMs: nowMs }));
      if (nowMs - group.lastMs > intervalMs) group.messages.clear();
      group.lastMs = nowMs;
      group.messages.add(message);
      if (group.messages.size < maxMessages) return false;
      const [oldest] = group.messages;
      group.messages.delete(oldest!);
      return true;
    },
  };
}

const maxMessages = 10;
const intervalMs = 10 * 60_000;
const maxGroups = 4096;
