/**
 * The security context of a container as CRI takes it: the container's fields over the pod's, the image's user where
 * neither names one, and the defaults that Kubernetes promises. Rules: core/v1 SecurityContext, PodSecurityContext.
 */
import { isAbsolute, join } from 'node:path';
import type {
  ContainerSecurityContext,
  Image,
  NamespaceOption,
  SandboxSecurityContext,
  SecurityProfile,
} from '../../../runtime/runtime.ts';
import type { AppArmorProfile, Pod, PodSecurityContext, SeccompProfile } from '../../api/core.gen.ts';
import { type AnyContainer, podName, podNamespace, podUid } from '../identity.ts';
import { ContainerConfigError } from './config-error.ts';

export interface SecurityDefaults {
  /** Directory of seccomp profiles of type Localhost. */
  seccompRoot: string;
  /** seccompDefault of the configuration: RuntimeDefault where nothing is said. */
  seccompDefault: boolean;
}

/**
 * @param image whose user applies; null for a runtime without images, where it is the agent's own (root).
 * @throws ContainerConfigError when the container would run as root against runAsNonRoot.
 */
export function containerSecurityContext(
  pod: Pod,
  container: AnyContainer,
  image: Pick<Image, 'uid' | 'username'> | null,
  targetContainerId: string | undefined,
  defaults: SecurityDefaults,
): ContainerSecurityContext {
  const own = container.securityContext ?? {};
  const ofPod = pod.spec?.securityContext ?? {};
  const runAsUser = own.runAsUser ?? ofPod.runAsUser;
  verifyNonRoot(pod, container, runAsUser, image);
  const privileged = own.privileged ?? false;
  const unmasked = own.procMount === 'Unmasked' || privileged;
  return {
    privileged,
    capabilities: { add: own.capabilities?.add ?? [], drop: own.capabilities?.drop ?? [] },
    namespaceOptions: namespaceOptions(pod, targetContainerId),
    ...userOf(runAsUser, image),
    runAsGroup: own.runAsGroup ?? ofPod.runAsGroup,
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    ...groupsOf(ofPod),
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : [...maskedPaths],
    readonlyPaths: unmasked ? [] : [...readonlyPaths],
    seccomp: seccompProfile(own.seccompProfile ?? ofPod.seccompProfile, defaults),
    apparmor: apparmorProfile(pod, container),
    selinuxOptions: own.seLinuxOptions ?? ofPod.seLinuxOptions,
  };
}

export function sandboxSecurityContext(pod: Pod): SandboxSecurityContext {
  const ofPod = pod.spec?.securityContext ?? {};
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return {
    namespaceOptions: namespaceOptions(pod, undefined),
    runAsUser: ofPod.runAsUser,
    runAsGroup: ofPod.runAsGroup,
    readonlyRootfs: false,
    ...groupsOf(ofPod),
    privileged: containers.some((container) => container.securityContext?.privileged),
    // The sandbox's process is the runtime's own: the pod's profile is for its containers.
    seccomp: { type: 'RuntimeDefault' },
    selinuxOptions: ofPod.seLinuxOptions,
  };
}

export function namespaceOptions(pod: Pod, targetContainerId: string | undefined): NamespaceOption {
  const spec = pod.spec;
  const network = spec?.hostNetwork ? 'NODE' : 'POD';
  const ipc = spec?.hostIPC ? 'NODE' : 'POD';
  if (targetContainerId !== undefined) return { network, ipc, pid: 'TARGET', targetId: targetContainerId };
  return { network, ipc, pid: spec?.hostPID ? 'NODE' : spec?.shareProcessNamespace ? 'POD' : 'CONTAINER' };
}

function verifyNonRoot(
  pod: Pod,
  container: AnyContainer,
  runAsUser: number | undefined,
  image: Pick<Image, 'uid' | 'username'> | null,
): void {
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot;
  if (!nonRoot) return;
  const about = `(pod: "${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})", container: ${container.name})`;
  if (runAsUser !== undefined) {
    if (runAsUser !== 0) return;
    throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${about}`);
  }
  if (image?.username) {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), ` +
        `cannot verify user is non-root ${about}`,
    );
  }
  if (!image?.uid) {
    throw new ContainerConfigError(
      image === null
        ? `container has runAsNonRoot and no runAsUser, and a host process without one runs as root ${about}`
        : `container has runAsNonRoot and image will run as root ${about}`,
    );
  }
}

function userOf(
  runAsUser: number | undefined,
  image: Pick<Image, 'uid' | 'username'> | null,
): Pick<ContainerSecurityContext, 'runAsUser' | 'runAsUsername'> {
  if (runAsUser !== undefined) return { runAsUser };
  if (image === null) return {};
  return image.username ? { runAsUsername: image.username } : { runAsUser: image.uid ?? 0 };
}

const groupsOf = (ofPod: PodSecurityContext) => ({
  supplementalGroups: [
    ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]),
    ...(ofPod.supplementalGroups ?? []),
  ],
  supplementalGroupsPolicy: ofPod.supplementalGroupsPolicy === 'Strict' ? ('Strict' as const) : undefined,
});

function seccompProfile(
  profile: SeccompProfile | undefined,
  { seccompRoot, seccompDefault }: SecurityDefaults,
): SecurityProfile {
  if (profile === undefined) return { type: seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  switch (profile.type) {
    case 'RuntimeDefault':
    case 'Unconfined':
      return { type: profile.type };
    case 'Localhost':
      return { type: 'Localhost', localhostRef: localSeccompPath(profile.localhostProfile, seccompRoot) };
    default:
      throw new ContainerConfigError(`seccompProfile.type '${profile.type}' is not one that roslet knows`);
  }
}

function localSeccompPath(profile: string | undefined, seccompRoot: string): string {
  if (!profile) {
    throw new ContainerConfigError('localhostProfile must be set if seccompProfile type is Localhost.');
  }
  if (isAbsolute(profile) || profile.split('/').includes('..')) {
    throw new ContainerConfigError(
      `seccompProfile.localhostProfile '${profile}' must be a path below ${seccompRoot}, without '..'`,
    );
  }
  return join(seccompRoot, profile);
}

export const apparmorAnnotationPrefix = 'container.apparmor.security.beta.kubernetes.io/';

/** The container's field, then the annotation from before there were fields, then the pod's field. */
function apparmorProfile(pod: Pod, container: AnyContainer): SecurityProfile | undefined {
  const own = container.securityContext?.appArmorProfile;
  if (own !== undefined) return fromField(own);
  const annotation = pod.metadata?.annotations?.[`${apparmorAnnotationPrefix}${container.name}`];
  if (annotation) return fromAnnotation(annotation);
  const ofPod = pod.spec?.securityContext?.appArmorProfile;
  return ofPod && fromField(ofPod);
}

function fromField(profile: AppArmorProfile): SecurityProfile {
  switch (profile.type) {
    case 'RuntimeDefault':
    case 'Unconfined':
      return { type: profile.type };
    case 'Localhost':
      if (profile.localhostProfile) return { type: 'Localhost', localhostRef: profile.localhostProfile };
      throw new ContainerConfigError('localhostProfile must be set if appArmorProfile type is Localhost.');
    default:
      throw new ContainerConfigError(`appArmorProfile.type '${profile.type}' is not one that roslet knows`);
  }
}

function fromAnnotation(value: string): SecurityProfile {
  if (value === 'unconfined') return { type: 'Unconfined' };
  if (value === 'runtime/default') return { type: 'RuntimeDefault' };
  if (value.startsWith('localhost/')) {
    return { type: 'Localhost', localhostRef: value.slice('localhost/'.length) };
  }
  throw new ContainerConfigError(
    `AppArmor annotation '${value}' must be unconfined, runtime/default or localhost/<profile>`,
  );
}

/** Parts of /proc and /sys that tell of, or change, the machine as a whole: the lists that Kubernetes promises. */
const maskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
