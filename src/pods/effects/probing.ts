/** Begins the probes of a pod's containers and ends them. */
import type { ContainerStatus, Runtime } from '../../../runtime/runtime.ts';
import type { Pod, PodStatus } from '../../api/core.gen.ts';
import type { ProbeManager } from '../../probes/manager.ts';
import type { CgroupManager } from '../../resources/cgroups.ts';
import { type ActualPod, currentSandbox } from '../actual.ts';
import { findContainer } from '../containers.ts';
import { podUid } from '../identity.ts';
import type { ContainerContext } from '../runtime-config/container-config.ts';
import { execIn, podIps } from './reach.ts';

export interface ProbingDeps {
  runtime: Runtime;
  probes: ProbeManager;
  cgroups: Pick<CgroupManager, 'pids'>;
  containers: Pick<ContainerContext, 'node'>;
}

export interface Probing {
  pod: Pod;
  actual: ActualPod;
  /** The instances to be probed; the probes of all others end. */
  running: ReadonlySet<ContainerStatus>;
  /** As it was told last: a container that ran before this life of the agent keeps what it was. */
  previous: PodStatus | undefined;
  /** The pod is to go down: only readiness is of interest. */
  stopping: boolean;
}

export function probePod(deps: ProbingDeps, { pod, actual, running, previous, stopping }: Probing): void {
  const { probes, runtime, cgroups, containers } = deps;
  const [podIp = ''] = podIps(pod, actual, containers.node().hostIps);
  const told = [...(previous?.containerStatuses ?? []), ...(previous?.initContainerStatuses ?? [])];
  for (const instance of actual.containers) {
    if (!running.has(instance)) {
      probes.untrack(instance.id);
      continue;
    }
    const container = findContainer(pod, instance.metadata.name);
    if (container === undefined) continue;
    const known = told.find((s) => s.containerID === `${runtime.name}://${instance.id}`);
    probes.track({
      pod,
      container,
      containerId: instance.id,
      podIp,
      startedAtMs: instance.startedAtMs,
      ros: {
        addresses: pod.spec?.hostNetwork === true ? [] : (currentSandbox(actual)?.ips ?? []),
        pids: () => cgroups.pids(podUid(pod)),
      },
      exec: execIn(runtime, instance.id),
      ...(known === undefined ? {} : { restored: { ready: known.ready, started: known.started ?? false } }),
    });
  }
  if (stopping) probes.stopLivenessAndStartup(podUid(pod));
}
