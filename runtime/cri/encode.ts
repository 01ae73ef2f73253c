/**
 * From the port's shapes to CRI messages. Every message is written out whole, so that the compiler tells when either
 * side grows a field.
 */
import type {
  ContainerConfig,
  ContainerFilter,
  ContainerSecurityContext,
  ImageAuth,
  LinuxContainerResources,
  Mount,
  NamespaceOption,
  PodSandboxConfig,
  SandboxFilter,
  SandboxSecurityContext,
  SecurityProfile,
  SelinuxOptions,
} from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';
import * as cri from './gen/runtime.ts';

export function encodeSandboxConfig(config: PodSandboxConfig): cri.PodSandboxConfig {
  return {
    metadata: { ...config.metadata },
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dnsConfig && { ...config.dnsConfig },
    portMappings: config.portMappings.map((mapping) => ({
      ...mapping,
      protocol: cri.Protocol[mapping.protocol],
    })),
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent,
      securityContext: encodeSandboxSecurityContext(config.securityContext),
      sysctls: config.sysctls,
      overhead: config.overhead && encodeResources(config.overhead),
      resources: config.resources && encodeResources(config.resources),
    },
  };
}

export function encodeContainerConfig(config: ContainerConfig): cri.ContainerConfig {
  return {
    metadata: { ...config.metadata },
    image: encodeImage(config.image, config.userSpecifiedImage, config.runtimeHandler),
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    envs: config.envs,
    mounts: config.mounts.map(encodeMount),
    devices: config.devices,
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: encodeResources(config.resources),
      securityContext: encodeSecurityContext(config.securityContext),
    },
    stopSignal: encodeSignal(config.stopSignal),
  };
}

export function encodeImage(image: string, userSpecifiedImage = '', runtimeHandler = ''): cri.ImageSpec {
  return { image, annotations: {}, userSpecifiedImage, runtimeHandler };
}

export function encodeAuth(auth: ImageAuth): cri.AuthConfig {
  return {
    username: auth.username ?? '',
    password: auth.password ?? '',
    auth: auth.auth ?? '',
    serverAddress: auth.serverAddress ?? '',
    identityToken: auth.identityToken ?? '',
    registryToken: auth.registryToken ?? '',
  };
}

export function encodeSandboxFilter(filter: SandboxFilter | undefined): cri.PodSandboxFilter | undefined {
  return (
    filter && {
      id: filter.id ?? '',
      state: filter.state && { state: cri.PodSandboxState[filter.state] },
      labelSelector: filter.labels ?? {},
    }
  );
}

export function encodeContainerFilter(filter: ContainerFilter | undefined): cri.ContainerFilter | undefined {
  return (
    filter && {
      id: filter.id ?? '',
      state: filter.state && { state: cri.ContainerState[filter.state] },
      podSandboxId: filter.podSandboxId ?? '',
      labelSelector: filter.labels ?? {},
    }
  );
}

/** In CRI, zero and empty mean: leave as it is. */
export function encodeResources(resources: LinuxContainerResources): cri.LinuxContainerResources {
  return {
    cpuPeriod: int64(resources.cpuPeriodUs),
    cpuQuota: int64(resources.cpuQuotaUs),
    cpuShares: int64(resources.cpuShares),
    memoryLimitInBytes: int64(resources.memoryLimitBytes),
    memorySwapLimitInBytes: int64(resources.memorySwapLimitBytes),
    oomScoreAdj: int64(resources.oomScoreAdj),
    cpusetCpus: resources.cpusetCpus ?? '',
    cpusetMems: resources.cpusetMems ?? '',
    hugepageLimits: (resources.hugepageLimits ?? []).map(({ pageSize, limitBytes }) => ({
      pageSize,
      limit: int64(limitBytes),
    })),
    unified: resources.unified ?? {},
  };
}

/** Whole seconds as CRI counts them, never shorter than asked. */
export const ceilSeconds = (ms: number): bigint => BigInt(Math.ceil(ms / 1000));

const int64 = (value: number | undefined): bigint => BigInt(Math.trunc(value ?? 0));

export function encodeSignal(name: string | undefined): cri.Signal {
  if (name === undefined) return cri.Signal.RUNTIME_DEFAULT;
  const key = name.replace('+', 'PLUS').replace(/(?<=MAX)-/, 'MINUS');
  const signal = Object.entries(cri.Signal).find(([candidate]) => candidate === key)?.[1];
  if (!signal) {
    throw new RuntimeError('InvalidArgument', `stopSignal: ${JSON.stringify(name)} is not a signal of Linux`);
  }
  return signal;
}

function encodeSandboxSecurityContext(context: SandboxSecurityContext): cri.LinuxSandboxSecurityContext {
  return {
    namespaceOptions: encodeNamespaces(context.namespaceOptions),
    selinuxOptions: encodeSelinux(context.selinuxOptions),
    runAsUser: encodeId(context.runAsUser),
    runAsGroup: encodeId(context.runAsGroup),
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups.map(int64),
    supplementalGroupsPolicy: cri.SupplementalGroupsPolicy[context.supplementalGroupsPolicy ?? 'Merge'],
    privileged: context.privileged,
    seccomp: encodeProfile(context.seccomp),
    apparmor: encodeProfile(context.apparmor),
  };
}

function encodeSecurityContext(context: ContainerSecurityContext): cri.LinuxContainerSecurityContext {
  return {
    capabilities: {
      addCapabilities: context.capabilities.add,
      dropCapabilities: context.capabilities.drop,
    },
    privileged: context.privileged,
    namespaceOptions: encodeNamespaces(context.namespaceOptions),
    selinuxOptions: encodeSelinux(context.selinuxOptions),
    runAsUser: encodeId(context.runAsUser),
    runAsGroup: encodeId(context.runAsGroup),
    runAsUsername: context.runAsUser === undefined ? (context.runAsUsername ?? '') : '',
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups.map(int64),
    supplementalGroupsPolicy: cri.SupplementalGroupsPolicy[context.supplementalGroupsPolicy ?? 'Merge'],
    noNewPrivs: context.noNewPrivs,
    maskedPaths: context.maskedPaths,
    readonlyPaths: context.readonlyPaths,
    seccomp: encodeProfile(context.seccomp),
    apparmor: encodeProfile(context.apparmor),
  };
}

function encodeNamespaces(options: NamespaceOption): cri.NamespaceOption {
  return {
    network: cri.NamespaceMode[options.network],
    pid: cri.NamespaceMode[options.pid],
    ipc: cri.NamespaceMode[options.ipc],
    targetId: options.targetId ?? '',
  };
}

const encodeId = (id: number | undefined): cri.Int64Value | undefined =>
  id === undefined ? undefined : { value: int64(id) };

const encodeProfile = (profile: SecurityProfile | undefined): cri.SecurityProfile | undefined =>
  profile && {
    profileType: cri.SecurityProfile_ProfileType[profile.type],
    localhostRef: profile.localhostRef ?? '',
  };

const encodeSelinux = (options: SelinuxOptions | undefined): cri.SELinuxOption | undefined =>
  options && {
    user: options.user ?? '',
    role: options.role ?? '',
    type: options.type ?? '',
    level: options.level ?? '',
  };

function encodeMount(mount: Mount): cri.Mount {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: cri.MountPropagation[`PROPAGATION_${mount.propagation}`],
    recursiveReadOnly: mount.recursiveReadOnly,
    image: mount.image === undefined ? undefined : encodeImage(mount.image),
    imageSubPath: mount.imageSubPath ?? '',
  };
}
