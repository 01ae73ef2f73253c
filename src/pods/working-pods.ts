/** What the pods of the node are at, as the kubelet's metric `kubelet_working_pods` tells them apart. Pure. */
import type { Pod } from '../api/core.gen.ts';
import { isStaticPod } from '../sources/source.ts';
import type { PodRecord } from './pod-record.ts';

export interface WorkingPod {
  lifecycle: (typeof lifecycles)[number];
  /** `orphan`: nobody wants it any more. `runtime_only`: a runtime had it, and nobody knew of it. */
  config: 'desired' | 'orphan' | 'runtime_only';
  isStatic: boolean;
}

export const lifecycles = ['sync', 'terminating', 'terminated'] as const;

export const workingPod = (
  { pod, stop, ended }: Pick<PodRecord, 'pod' | 'stop' | 'ended'>,
  isDesired: boolean,
): WorkingPod => ({
  lifecycle: ended ? 'terminated' : stop === undefined ? 'sync' : 'terminating',
  config: isDesired ? 'desired' : isKnown(pod) ? 'orphan' : 'runtime_only',
  isStatic: isStaticPod(pod),
});

/** Of what only a runtime had the containers are not known (`orphans.ts`). */
const isKnown = (pod: Pod): boolean => (pod.spec?.containers.length ?? 0) > 0;
