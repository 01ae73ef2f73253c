/** What a pod is held against when it asks for a place on the node, as that is now. */
import type { Pod } from '../api/core.gen.ts';
import type { Cluster } from '../cluster/index.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Logger } from '../log.ts';
import { hasAppArmor } from '../node/app-armor.ts';
import type { NodeMonitor } from '../node/node.ts';
import type { NodeAdmissionContext } from '../pods/admission.ts';
import { hostProcessRuntimeClass } from '../pods/identity.ts';
import type { RuntimeSet } from '../pods/runtimes.ts';
import { extendedOf, toAmounts } from '../resources/amounts.ts';
import type { RuntimeHealth } from '../runtime-health.ts';

export interface AdmissionParts {
  cluster: Pick<Cluster, 'lastNode'> | undefined;
  node: NodeMonitor;
  runtimes: RuntimeSet;
  health: RuntimeHealth;
  handlerOf(pod: Pod): string;
  rosDomainId: NodeAdmissionContext['rosDomainId'];
  log: Logger;
}

export function admissionContext(
  config: AgentConfig,
  { cluster, node, runtimes, health, handlerOf, rosDomainId, log }: AdmissionParts,
): () => NodeAdmissionContext {
  const machineHasAppArmor = hasAppArmor('/sys', log);
  return () => ({
    name: config.nodeName,
    labels: (cluster?.lastNode() ?? node.node()).metadata?.labels ?? {},
    taints: cluster?.lastNode()?.spec?.taints ?? [],
    allocatable: {
      ...toAmounts(extendedOf(cluster?.lastNode()?.status?.allocatable)),
      ...node.allocatable(),
    },
    handlerOf,
    runtimeHandlers: [hostProcessRuntimeClass, ...health.handlers().map((h) => h.name)],
    hasContainerRuntime: runtimes.hasContainerRuntime,
    cannotLimitGroups: (handler) =>
      health.supplementalGroupsPolicy(runtimes.forHandler(handler).runtime) === false,
    allowedUnsafeSysctls: config.allowedUnsafeSysctls,
    pressures: node.pressures(),
    shuttingDown: false,
    lacksAppArmor: (handler) => !machineHasAppArmor && runtimes.kindOf(handler) === 'cri',
    hasRosBridge: config.ros.transport !== 'off',
    rosDomainId,
  });
}
