/** What the probes last found, by container id, as plan and status read it. */
export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export type ProbeResult = 'success' | 'failure' | 'unknown';

export interface ProbeResults {
  /** Undefined: no such probe runs for this container. `unknown`: it has not come to a result yet. */
  get(containerId: string, kind: ProbeKind): ProbeResult | undefined;
  /** Why the last failure failed, for messages; '' when there is none. */
  message(containerId: string, kind: ProbeKind): string;
}
