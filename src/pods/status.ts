/**
 * The PodStatus of one pod, computed in this one place from what the runtime holds, what the probes found and why
 * containers wait. Pure. Phases, reasons and conditions are the kubelet's; each of these is in a file of its own below
 * status/. What is not known stays as it was.
 */
import type { Container, PodStatus } from '../api/core.gen.ts';
import type { Waiting } from './actions.ts';
import { currentSandbox } from './actual.ts';
import { isSidecar } from './identity.ts';
import { observedGeneration, podConditions } from './status/conditions.ts';
import { type ContainerKind, containerStatus, lost } from './status/container-status.ts';
import type { StatusInput } from './status/input.ts';
import { podPhase } from './status/phase.ts';

export function podStatus(input: StatusInput): PodStatus {
  const { pod, previous, verdict } = input;
  const spec = pod.spec;
  const inits = spec?.initContainers ?? [];
  const apps = spec?.containers ?? [];
  const anyAppSeen = apps.some((c) => input.actual.containers.some((i) => i.metadata.name === c.name));
  const defaultWaiting: Waiting = {
    reason: inits.length > 0 && !anyAppSeen ? 'PodInitializing' : 'ContainerCreating',
    message: '',
  };
  const status = (container: Container, kind: ContainerKind) =>
    containerStatus(input, container, kind, defaultWaiting);
  const initContainerStatuses = inits.map((c) => status(c, 'init'));
  const isInitialized = initContainerStatuses.every((s, i) => isSidecar(inits[i]!) || s.ready);
  const containerStatuses = apps.map((c) => {
    const known = status(c, 'app');
    return input.ended && isInitialized ? lost(known) : known;
  });
  const ephemeralContainerStatuses = (spec?.ephemeralContainers ?? []).map((c) => status(c, 'ephemeral'));
  const isRefused = wasNeverAdmitted(input);

  // A final phase is told when nothing runs any more, as controllers rely on.
  const phase =
    (input.ended ? verdict?.phase : undefined) ??
    podPhase(pod, initContainerStatuses, containerStatuses, input.ended);
  const sandbox = currentSandbox(input.actual);
  // Without a sandbox those of the last one stay, as in the kubelet: a pod that has ended says where it was.
  const ips = spec?.hostNetwork === true ? input.hostIps : (sandbox?.ips ?? previousIps(previous));
  return {
    phase,
    conditions: podConditions(input, {
      phase,
      inits: initContainerStatuses,
      apps: containerStatuses,
      hasSandbox: sandbox !== undefined,
    }),
    ...(verdict?.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict?.message === undefined ? {} : { message: verdict.message }),
    ...(input.hostIps.length > 0
      ? { hostIP: input.hostIps[0], hostIPs: input.hostIps.map((ip) => ({ ip })) }
      : {}),
    ...(ips.length > 0 ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: previous?.startTime ?? input.startTime,
    qosClass: input.qosClass,
    ...observedGeneration(pod),
    ...(inits.length > 0 && !isRefused ? { initContainerStatuses } : {}),
    ...(isRefused ? {} : { containerStatuses }),
    ...(ephemeralContainerStatuses.length > 0 ? { ephemeralContainerStatuses } : {}),
  };
}

/** Such a pod has no containers to tell of: they would read as if they were being created. */
const wasNeverAdmitted = ({ ended, verdict, actual, previous }: StatusInput): boolean =>
  ended &&
  verdict?.phase === 'Failed' &&
  actual.sandboxes.length === 0 &&
  (previous?.containerStatuses ?? []).every(({ state }) => state?.waiting !== undefined);

const previousIps = (previous: PodStatus | undefined): readonly string[] =>
  previous?.podIPs?.map((p) => p.ip) ?? [];
