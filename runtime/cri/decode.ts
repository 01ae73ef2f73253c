/** From CRI messages to the port's shapes. Nanoseconds become milliseconds; what the runtime left out, undefined. */
import type {
  Container,
  ContainerStateName,
  ContainerStats,
  ContainerStatus,
  FilesystemUsage,
  Image,
  LinuxContainerResources,
  Mount,
  NamespaceMode,
  NamespaceOption,
  PodSandbox,
  PodSandboxMetadata,
  PodSandboxState,
  PodSandboxStatus,
} from '../runtime.ts';
import * as cri from './gen/runtime.ts';

export function decodeSandbox(sandbox: cri.PodSandbox): PodSandbox {
  return {
    id: sandbox.id,
    metadata: decodeSandboxMetadata(sandbox.metadata),
    state: sandboxStates[sandbox.state],
    createdAtMs: milliseconds(sandbox.createdAt),
    labels: sandbox.labels,
    annotations: sandbox.annotations,
    runtimeHandler: sandbox.runtimeHandler,
  };
}

export function decodeSandboxStatus(status: cri.PodSandboxStatus): PodSandboxStatus {
  const network = status.network;
  return {
    ...decodeSandbox(status),
    ips: [network?.ip ?? '', ...(network?.additionalIps ?? []).map((pod) => pod.ip)].filter(
      (ip) => ip !== '',
    ),
    namespaceOptions: decodeNamespaces(status.linux?.namespaces?.options),
  };
}

export function decodeContainer(container: cri.Container): Container {
  return {
    id: container.id,
    podSandboxId: container.podSandboxId,
    metadata: decodeMetadata(container.metadata),
    image: container.image?.image ?? '',
    imageRef: container.imageRef,
    state: containerStates[container.state],
    createdAtMs: milliseconds(container.createdAt),
    labels: container.labels,
    annotations: container.annotations,
  };
}

/** CRI's status does not say which sandbox a container belongs to: `podSandboxId` comes from the list. */
export function decodeContainerStatus(status: cri.ContainerStatus, podSandboxId: string): ContainerStatus {
  const user = status.user?.linux;
  const finishedAtMs = milliseconds(status.finishedAt);
  // containerd notes the start when it has been told of it: a short command may have ended before.
  const startedAtMs = Math.min(milliseconds(status.startedAt), finishedAtMs || Infinity);
  return {
    id: status.id,
    podSandboxId,
    metadata: decodeMetadata(status.metadata),
    image: status.image?.image ?? '',
    imageRef: status.imageRef,
    imageId: status.imageId || status.imageRef,
    state: wasCutShort(status) ? 'CONTAINER_CREATED' : containerStates[status.state],
    createdAtMs: milliseconds(status.createdAt),
    startedAtMs,
    finishedAtMs,
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    labels: status.labels,
    annotations: status.annotations,
    logPath: status.logPath,
    mounts: status.mounts.map(decodeMount),
    resources: status.resources?.linux && decodeResources(status.resources.linux),
    user: user && {
      uid: Number(user.uid),
      gid: Number(user.gid),
      supplementalGroups: user.supplementalGroups.map(Number),
    },
    stopSignal: decodeSignal(status.stopSignal),
  };
}

/**
 * A containerd that was killed while it started the container finds its own half-made task in the way of the next start
 * and takes the container for ended. One that was killed while it made the container finds it without a word of how it
 * is, and has it ended when it is stopped. It never ran: nobody's restart policy has anything to say about it.
 */
const wasCutShort = ({ state, reason, message, startedAt }: cri.ContainerStatus): boolean =>
  state === cri.ContainerState.CONTAINER_EXITED &&
  startedAt <= 0n &&
  (reason === 'Unknown' || (reason === 'StartError' && /task \S+: already exists$/.test(message)));

export function decodeImage(image: cri.Image): Image {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: Number(image.size),
    uid: image.uid && Number(image.uid.value),
    username: image.username || undefined,
    pinned: image.pinned,
  };
}

export function decodeFilesystem(usage: cri.FilesystemUsage): FilesystemUsage {
  return {
    timestampMs: milliseconds(usage.timestamp),
    mountpoint: usage.fsId?.mountpoint ?? '',
    usedBytes: number(usage.usedBytes) ?? 0,
    inodesUsed: number(usage.inodesUsed) ?? 0,
  };
}

export function decodeStats(stats: cri.ContainerStats): ContainerStats {
  const { attributes, cpu, memory, writableLayer } = stats;
  return {
    id: attributes?.id ?? '',
    metadata: decodeMetadata(attributes?.metadata),
    labels: attributes?.labels ?? {},
    timestampMs: milliseconds(cpu?.timestamp || memory?.timestamp || writableLayer?.timestamp || 0n),
    cpuUsageCoreNanoSeconds: cpu?.usageCoreNanoSeconds?.value,
    cpuUsageNanoCores: cpu?.usageNanoCores?.value,
    memoryWorkingSetBytes: number(memory?.workingSetBytes),
    memoryUsageBytes: number(memory?.usageBytes),
    memoryRssBytes: number(memory?.rssBytes),
    memoryAvailableBytes: number(memory?.availableBytes),
    pageFaults: number(memory?.pageFaults),
    majorPageFaults: number(memory?.majorPageFaults),
    rootfsUsedBytes: number(writableLayer?.usedBytes),
    rootfsInodesUsed: number(writableLayer?.inodesUsed),
  };
}

export function decodeSignal(signal: cri.Signal): string | undefined {
  const name = signalNames.get(signal);
  if (name === undefined || signal === cri.Signal.RUNTIME_DEFAULT) return undefined;
  return name.replace('PLUS', '+').replace('MINUS', '-');
}

const sandboxStates: Readonly<Record<cri.PodSandboxState, PodSandboxState>> = {
  [cri.PodSandboxState.SANDBOX_READY]: 'SANDBOX_READY',
  [cri.PodSandboxState.SANDBOX_NOTREADY]: 'SANDBOX_NOTREADY',
};

const containerStates: Readonly<Record<cri.ContainerState, ContainerStateName>> = {
  [cri.ContainerState.CONTAINER_CREATED]: 'CONTAINER_CREATED',
  [cri.ContainerState.CONTAINER_RUNNING]: 'CONTAINER_RUNNING',
  [cri.ContainerState.CONTAINER_EXITED]: 'CONTAINER_EXITED',
  [cri.ContainerState.CONTAINER_UNKNOWN]: 'CONTAINER_UNKNOWN',
};

const namespaceModes: Readonly<Record<cri.NamespaceMode, NamespaceMode>> = {
  [cri.NamespaceMode.POD]: 'POD',
  [cri.NamespaceMode.CONTAINER]: 'CONTAINER',
  [cri.NamespaceMode.NODE]: 'NODE',
  [cri.NamespaceMode.TARGET]: 'TARGET',
};

const propagations: Readonly<Record<cri.MountPropagation, Mount['propagation']>> = {
  [cri.MountPropagation.PROPAGATION_PRIVATE]: 'PRIVATE',
  [cri.MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'HOST_TO_CONTAINER',
  [cri.MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'BIDIRECTIONAL',
};

const signalNames: ReadonlyMap<number, string> = new Map(
  Object.entries(cri.Signal).map(([name, signal]) => [signal, name]),
);

const milliseconds = (nanoseconds: bigint): number => Number(nanoseconds / 1_000_000n);

const number = (value: cri.UInt64Value | undefined): number | undefined => value && Number(value.value);

const decodeSandboxMetadata = (metadata: cri.PodSandboxMetadata | undefined): PodSandboxMetadata =>
  metadata ?? { name: '', namespace: '', uid: '', attempt: 0 };

const decodeMetadata = (metadata: cri.ContainerMetadata | undefined): Container['metadata'] =>
  metadata ?? { name: '', attempt: 0 };

function decodeNamespaces(options: cri.NamespaceOption | undefined): NamespaceOption {
  if (!options) return { network: 'POD', pid: 'POD', ipc: 'POD' };
  return {
    network: namespaceModes[options.network],
    pid: namespaceModes[options.pid],
    ipc: namespaceModes[options.ipc],
    targetId: options.targetId || undefined,
  };
}

function decodeMount(mount: cri.Mount): Mount {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    recursiveReadOnly: mount.recursiveReadOnly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: propagations[mount.propagation],
    image: mount.image?.image || undefined,
    imageSubPath: mount.imageSubPath || undefined,
  };
}

function decodeResources(resources: cri.LinuxContainerResources): LinuxContainerResources {
  return {
    cpuPeriodUs: Number(resources.cpuPeriod) || undefined,
    cpuQuotaUs: Number(resources.cpuQuota) || undefined,
    cpuShares: Number(resources.cpuShares) || undefined,
    memoryLimitBytes: Number(resources.memoryLimitInBytes) || undefined,
    memorySwapLimitBytes: Number(resources.memorySwapLimitInBytes) || undefined,
    oomScoreAdj: Number(resources.oomScoreAdj),
    cpusetCpus: resources.cpusetCpus || undefined,
    cpusetMems: resources.cpusetMems || undefined,
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }) => ({
      pageSize,
      limitBytes: Number(limit),
    })),
    unified: resources.unified,
  };
}
