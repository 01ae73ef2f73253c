/** Times in the messages of findings. */

/** `312 ms`, `4.2 s` */
export const shortTime = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;

/** The time of day of a monotonic time, in UTC as the logs have it: `14:02:11.123Z`. */
export const clockTime = (monotonicMs: number): string =>
  new Date(Date.now() - performance.now() + monotonicMs).toISOString().slice(11);
