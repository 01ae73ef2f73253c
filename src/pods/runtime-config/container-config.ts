/**
 * A container of a pod as CRI takes it, with what it needs on the host: its log directory, its own files and bound sub
 * paths. Its volumes are set up, its image is there.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  ContainerConfig,
  Image,
  LinuxContainerResources,
  PodSandboxConfig,
  RuntimeHandler,
} from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { messageOf } from '../../error-message.ts';
import type { Paths } from '../../paths.ts';
import { type ClusterPort, isClusterPod, type ObjectReader } from '../../sources/source.ts';
import type { VolumeManager } from '../../volumes/manager.ts';
import {
  type AnyContainer,
  containerHashAnnotation,
  containerNameLabel,
  podGracePeriodAnnotation,
  podNameLabel,
  podNamespaceLabel,
  podUidLabel,
  restartCountAnnotation,
  terminationMessageHostPathAnnotation,
  terminationMessagePathAnnotation,
  terminationMessagePolicyAnnotation,
} from '../identity.ts';
import { type ConfigWarning, ContainerConfigError } from './config-error.ts';
import { hostsFile, terminationMessageFile } from './container-files.ts';
import { ddsEnv, whyDeaf } from './dds-env.ts';
import type { NodeContext } from './downward.ts';
import { makeEnv } from './env.ts';
import { expand, type Lookup } from './expansion.ts';
import { containerSecurityContext, type SecurityDefaults } from './security.ts';
import { volumeMounts } from './volume-mounts.ts';

/** What stays the same for all containers of the node. */
export interface ContainerContext extends SecurityDefaults {
  paths: Paths;
  volumes: VolumeManager;
  objects: ObjectReader;
  /** Undefined: the node of no cluster. */
  cluster?: Pick<ClusterPort, 'serviceEnv'>;
  node(): NodeContext;
  clusterDomain: string;
  /** Whether ROS 2 is of any matter on this machine. */
  hasRosBridge: boolean;
}

export interface ContainerInput {
  pod: Pod;
  container: AnyContainer;
  restartCount: number;
  sandboxConfig: PodSandboxConfig;
  /** As returned by `pullImage`; '' for a runtime without images. */
  imageRef: string;
  /** Null for a runtime without images. */
  image: Pick<Image, 'uid' | 'username'> | null;
  runtimeHandler: RuntimeHandler;
  /** Primary first; empty on the host's network. */
  podIps: readonly string[];
  resources: LinuxContainerResources;
  /** Of an ephemeral container: whose processes it sees. */
  targetContainerId?: string;
}

/** @throws ContainerConfigError when the container cannot be had as its pod asks. */
export async function containerConfig(
  context: ContainerContext,
  input: ContainerInput,
  signal: AbortSignal,
): Promise<{ config: ContainerConfig; warnings: ConfigWarning[] }> {
  const { pod, container, restartCount, sandboxConfig } = input;
  const securityContext = containerSecurityContext(
    pod,
    container,
    input.image,
    input.targetContainerId,
    context,
  );
  const [device] = container.volumeDevices ?? [];
  if (device !== undefined) {
    throw new ContainerConfigError(
      `cannot find volume "${device.name}" to pass into container "${container.name}": ` +
        'volumeDevices need a persistent volume, which roslet does not have',
    );
  }
  const { envs, warnings } = await makeEnv(
    { ...input, serviceEnv: await serviceEnv(context, input.pod) },
    context.node(),
    context.objects,
    signal,
  );
  const lookup: Lookup = (name) => envs.get(name);
  if (context.hasRosBridge) {
    for (const [name, value] of ddsEnv(pod, envs)) envs.set(name, value);
    const why = whyDeaf(pod.spec, lookup);
    if (why !== undefined) warnings.push({ reason: 'RosNodesUnheard', message: why });
  }

  const mounts = await volumeMounts(context.volumes, input, lookup, signal);
  // At the same time, as the container that this one follows may have ended a moment ago.
  const [hosts, message] = await Promise.all([
    hostsFile(context, input),
    terminationMessageFile(context.paths, input),
    mkdir(join(sandboxConfig.logDirectory, container.name), { recursive: true, mode: 0o755 }),
  ]);

  const config: ContainerConfig = {
    metadata: { name: container.name, attempt: restartCount },
    image: input.imageRef,
    userSpecifiedImage: container.image ?? '',
    runtimeHandler: input.runtimeHandler.name,
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...envs].map(([key, value]) => ({ key, value })),
    mounts: [...mounts, ...[hosts, message].filter((mount) => mount !== undefined)],
    devices: [],
    labels: labels(input),
    annotations: annotations(input, message?.hostPath),
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    resources: input.resources,
    securityContext,
    rlimits: [],
    stopSignal: container.lifecycle?.stopSignal,
  };
  return { config, warnings };
}

/**
 * Tells whether a running container is still the one that its pod asks for. Only what can change while a pod lives
 * and takes a new container counts: the image. Any other change of a static pod makes a new pod.
 */
export const containerHash = (container: AnyContainer): string =>
  createHash('sha256')
    .update(JSON.stringify([container.name, container.image ?? '']))
    .digest('hex')
    .slice(0, 16);

/** Those of pods of the cluster alone: others may start before it can be asked. */
async function serviceEnv({ cluster }: ContainerContext, pod: Pod): Promise<ReadonlyMap<string, string>> {
  if (cluster === undefined || !isClusterPod(pod)) return new Map();
  try {
    return await cluster.serviceEnv(pod);
  } catch (error) {
    throw new ContainerConfigError(messageOf(error));
  }
}

const labels = ({ container, sandboxConfig: { metadata } }: ContainerInput): Record<string, string> => ({
  [podNameLabel]: metadata.name,
  [podNamespaceLabel]: metadata.namespace,
  [podUidLabel]: metadata.uid,
  [containerNameLabel]: container.name,
});

function annotations(input: ContainerInput, messagePath: string | undefined): Record<string, string> {
  const { pod, container, restartCount } = input;
  const grace = pod.spec?.terminationGracePeriodSeconds;
  return {
    [containerHashAnnotation]: containerHash(container),
    [restartCountAnnotation]: `${restartCount}`,
    [terminationMessagePathAnnotation]: container.terminationMessagePath ?? '',
    [terminationMessagePolicyAnnotation]: container.terminationMessagePolicy ?? 'File',
    ...(messagePath !== undefined && { [terminationMessageHostPathAnnotation]: messagePath }),
    ...(grace !== undefined && { [podGracePeriodAnnotation]: `${grace}` }),
  };
}
