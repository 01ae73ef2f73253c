/**
 * Crash-loop back off. The delay that applies when an instance ends is written on the instance when it is created
 * (an annotation in the runtime), so that a restart of the agent forgets nothing: none after the first instance,
 * then the initial delay, then twice the last up to the maximum. An instance that ran long enough starts over, and
 * a clean exit counts as a failed one, both as in the kubelet.
 */
export interface BackoffConfig {
  initialMs: number;
  maxMs: number;
}

export const crashLoopBackoffAnnotation = 'roslet.dev/crash-loop-backoff-ms';

/** An instance that ran at least this long ends a series of crashes (the kubelet's twice the default maximum). */
const backoffResetMs = 600_000;

export const defaultBackoff: BackoffConfig = { initialMs: 10_000, maxMs: 300_000 };

export interface EndedInstance {
  startedAtMs: number;
  finishedAtMs: number;
  annotations: Record<string, string>;
}

/** Delay between the end of `ended` and the next start. */
export function backoffAfter(ended: EndedInstance, config: BackoffConfig): number {
  const written = Number(ended.annotations[crashLoopBackoffAnnotation]);
  if (!Number.isFinite(written) || written <= 0) return 0;
  if (ranLong(ended)) return 0;
  return Math.min(written, config.maxMs);
}

/** Delay to write on the instance that follows `previous` (undefined: the first instance). */
export function nextBackoff(previous: EndedInstance | undefined, config: BackoffConfig): number {
  if (previous === undefined) return 0;
  const last = backoffAfter(previous, config);
  return Math.min(last === 0 ? config.initialMs : last * 2, config.maxMs);
}

function ranLong(ended: EndedInstance): boolean {
  return ended.startedAtMs > 0 && ended.finishedAtMs - ended.startedAtMs >= backoffResetMs;
}
