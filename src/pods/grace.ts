/** How long a container gets to end by itself. */
import type { Container, Pod } from '../api/core.gen.ts';
import type { ProbeKind } from '../probes/results.ts';

export const podGraceSeconds = (pod: Pod): number => pod.spec?.terminationGracePeriodSeconds ?? 30;

/** Of a container that is killed alone because a probe failed; the probe's own beats the pod's. */
export function probeGraceSeconds(pod: Pod, container: Container, kind: ProbeKind): number {
  const probe = kind === 'startup' ? container.startupProbe : container.livenessProbe;
  return probe?.terminationGracePeriodSeconds ?? podGraceSeconds(pod);
}
