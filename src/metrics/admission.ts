/** How the kubelet's metrics name why a pod was not admitted: by a few reasons, so that no pod can make series of its own. */

export function rejectionReason(reason: string): string {
  if (countedReasons.has(reason)) return reason;
  return reason.startsWith('OutOf') ? 'OutOfExtendedResources' : 'Other';
}

/** What a preempted pod gave first. */
export const preemptionSignal = (reason: string): string => reason.replace(/^OutOf/, '');

const countedReasons: ReadonlySet<string> = new Set([
  'AppArmor',
  'Evicted',
  'NodeShutdown',
  'OutOfcpu',
  'OutOfmemory',
  'OutOfephemeral-storage',
  'OutOfpods',
  'PodOSNotSupported',
  'PodOSSelectorNodeLabelDoesNotMatch',
  'SupplementalGroupsPolicyNotSupported',
  'SysctlForbidden',
  // Ours alone.
  'NodeAffinity',
  'NodeName',
  'NodePorts',
  'RosProbeNotSupported',
  'RuntimeClassNotSupported',
  'StartOrderCycle',
  'TaintToleration',
  'UnsupportedPodSpec',
]);
