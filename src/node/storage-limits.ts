/**
 * Pods that write more to the node's disk than their own limits allow: emptyDir sizeLimit and the ephemeral-storage
 * limits of containers and pod. Enforced by eviction as in the kubelet, but also for static pods: on a machine without
 * a control plane these are the users' own, and a limit that they wrote must hold.
 */

import type { Pod } from '../api/core.gen.ts';
import { quantityValue } from '../api/quantity.ts';
import { formatBytes, toAmounts } from '../resources/amounts.ts';
import { podLimits, systemCriticalPriority } from '../resources/qos.ts';
import { type Eviction, hardEvictionGraceSeconds } from './eviction.ts';
import { containerDisk, type PodUsage, type PodWithUsage, podDisk } from './eviction-rank.ts';

export function storageLimitEvictions(pods: readonly PodWithUsage[]): Eviction[] {
  return pods.flatMap(({ pod, usage }) => {
    if ((pod.spec?.priority ?? 0) >= systemCriticalPriority) return [];
    const excess = emptyDirExcess(pod, usage) ?? podExcess(pod, usage) ?? containerExcess(pod, usage);
    return excess === undefined ? [] : [{ pod, ...excess, gracePeriodSeconds: hardEvictionGraceSeconds }];
  });
}

type Excess = Required<Pick<Eviction, 'limit' | 'message'>>;

/** Whether the pod's usage has to be known to hold it to its limits. */
export const hasStorageLimit = ({ spec }: Pod): boolean =>
  (spec?.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
  [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), { resources: spec?.resources }].some(
    ({ resources }) => resources?.limits?.[resource] !== undefined,
  );

function emptyDirExcess(pod: Pod, usage: PodUsage): Excess | undefined {
  for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
    const limit = emptyDir?.sizeLimit;
    if (limit === undefined || quantityValue(limit) === 0) continue;
    if ((usage.volumes.get(name)?.bytes ?? 0) > quantityValue(limit)) {
      const message = `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
      return { limit: 'emptydirfs.limit', message };
    }
  }
  return undefined;
}

function podExcess(pod: Pod, usage: PodUsage): Excess | undefined {
  const limit = podLimits(pod)[resource];
  const lacksLimit = pod.spec?.containers.some(
    ({ resources }) => resources?.limits?.[resource] === undefined,
  );
  // The limits of some containers are no limit of the pod.
  if (limit === undefined || lacksLimit || podDisk(usage).bytes <= limit) return undefined;
  const message = `Pod ephemeral local storage usage exceeds the total limit of containers ${formatBytes(limit)}. `;
  return { limit: 'ephemeralpodfs.limit', message };
}

function containerExcess(pod: Pod, usage: PodUsage): Excess | undefined {
  for (const { name, resources } of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const limit = toAmounts(resources?.limits)[resource];
    if (limit !== undefined && containerDisk(usage.containers.get(name)).bytes > limit) {
      const message = `Container ${name} exceeded its local ephemeral storage limit "${resources?.limits?.[resource]}". `;
      return { limit: 'ephemeralcontainerfs.limit', message };
    }
  }
  return undefined;
}

const resource = 'ephemeral-storage';
