/**
 * What one attempt of a probe comes to. A failure of what is probed is an outcome; a failure to probe at all (a port name
 * that does not exist, a runtime that does not answer) is an exception and says nothing about the container.
 */
export interface ProbeOutcome {
  /** `warning` counts as success. */
  result: 'success' | 'failure' | 'warning';
  output: string;
  /** The failure is that no answer came in time. */
  timedOut?: boolean;
}

export interface AttemptOptions {
  timeoutMs: number;
  signal: AbortSignal;
}
