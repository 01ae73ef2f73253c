/** Times of Kubernetes and of JavaScript as messages have them. */
import type { Time } from '../messages/gen/builtin_interfaces.ts';

/** Zero when there is none. */
export function timeOf(epochMs: number | string | undefined): Time {
  const ms = typeof epochMs === 'string' ? Date.parse(epochMs) : (epochMs ?? 0);
  if (!Number.isFinite(ms) || ms <= 0) return { sec: 0, nanosec: 0 };
  const sec = Math.floor(ms / 1000);
  return { sec, nanosec: Math.floor((ms - sec * 1000) * 1e6) };
}
