/** Durations as Go writes them (`1m30s`, `1.5h`, `300ms`), in milliseconds here. */

/** Undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  // The micro sign and the Greek letter.
  const match = /^([-+]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.exec(text);
  if (!match) return undefined;
  const [, sign, parts = ''] = match;
  let ms = 0;
  for (const [, number, unit] of parts.matchAll(/([\d.]+)([^\d.]+)/g)) ms += Number(number) * unitMs[unit!]!;
  return sign === '-' ? -ms : ms;
}

/** As Go prints it: `1m30s`, `300ms`, `0s`. Exact to the nanosecond up to 100 days. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const ns = Math.round(Math.abs(ms) * 1e6);
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${sign}${ns}ns`;
  if (ns < 1e6) return `${sign}${ns / 1e3}µs`;
  if (ns < 1e9) return `${sign}${ns / 1e6}ms`;
  const minutes = Math.floor(ns / 6e10);
  const seconds = `${(ns - minutes * 6e10) / 1e9}s`;
  if (minutes === 0) return `${sign}${seconds}`;
  if (minutes < 60) return `${sign}${minutes}m${seconds}`;
  return `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
