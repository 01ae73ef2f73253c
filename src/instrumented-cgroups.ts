/** Times what is done to the cgroups of pods, under the kubelet's metric and operation names. */

import type { Metrics } from './metrics/metrics.ts';
import type { CgroupManager } from './resources/cgroups.ts';

export function instrumentedCgroups(
  cgroups: CgroupManager,
  metrics: Pick<Metrics, 'observe'>,
): CgroupManager {
  const timed = async <T>(operation_type: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    try {
      return await work();
    } finally {
      const seconds = (performance.now() - startedMs) / 1000;
      metrics.observe('kubelet_cgroup_manager_duration_seconds', seconds, { operation_type });
    }
  };
  const own: Pick<CgroupManager, 'ensurePod' | 'updateQos' | 'removePod'> = {
    ensurePod: (...args) => timed('create', () => cgroups.ensurePod(...args)),
    updateQos: (...args) => timed('update', () => cgroups.updateQos(...args)),
    removePod: (...args) => timed('destroy', () => cgroups.removePod(...args)),
  };
  return new Proxy(cgroups, {
    get: (target, name) =>
      Object.hasOwn(own, name) ? own[name as keyof typeof own] : Reflect.get(target, name),
  });
}
