/** The events about an object, oldest first, repeated ones with how often and for how long. */
import type { Event } from '../api/core.gen.ts';
import { lastSeen } from '../apiserver/columns.ts';
import { humanDuration } from '../apiserver/human-duration.ts';
import { type Cell, formatTable, paint } from './output.ts';

export function describeEvents(events: readonly Event[], nowMs: number): string {
  if (events.length === 0) return 'Events: none';
  const sorted = [...events].sort((a, b) => timeOf(a) - timeOf(b));
  const rows = sorted.map((event): Cell[] => [
    event.type === 'Warning' ? { text: 'Warning', style: 'yellow' } : { text: event.type ?? '' },
    { text: event.reason ?? '' },
    { text: age(event, nowMs) },
    { text: (event.message ?? '').trim() },
  ]);
  return [paint('bold', 'Events:'), ...formatTable(rows).map((line) => `  ${line}`)].join('\n');
}

function age(event: Event, nowMs: number): string {
  const last = humanDuration(nowMs - timeOf(event));
  const first = Date.parse(event.firstTimestamp ?? '');
  const count = event.count ?? 1;
  return count > 1 && !Number.isNaN(first)
    ? `${last} (x${count} over ${humanDuration(nowMs - first)})`
    : last;
}

const timeOf = (event: Event): number => Date.parse(lastSeen(event) ?? '') || 0;
