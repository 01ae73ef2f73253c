/**
 * A container of a pod as CRI takes it, with the files that it needs on the host: log directory, termination message,
 * /etc/hosts, bound sub paths. Its volumes are set up, its image is there.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type {
  ContainerConfig,
  Image,
  LinuxContainerResources,
  Mount,
  PodSandboxConfig,
  RuntimeHandler,
} from '../../runtime/runtime.ts';
import type { Pod, VolumeMount } from '../api/core.gen.ts';
import { type Paths, podDir } from '../paths.ts';
import { type ClusterPort, isClusterPod, type ObjectReader } from '../sources/source.ts';
import type { VolumeManager } from '../volumes/manager.ts';
import { type ConfigWarning, ContainerConfigError } from './config-error.ts';
import { ddsEnv, whyDeaf } from './dds-env.ts';
import type { NodeContext } from './downward.ts';
import { makeEnv } from './env.ts';
import { writePodHosts } from './etc-files.ts';
import { expand, expandStrict, type Lookup } from './expansion.ts';
import {
  type AnyContainer,
  containerHashAnnotation,
  containerNameLabel,
  podGracePeriodAnnotation,
  podNameLabel,
  podNamespaceLabel,
  podUid,
  podUidLabel,
  restartCountAnnotation,
  terminationMessageHostPathAnnotation,
  terminationMessagePathAnnotation,
  terminationMessagePolicyAnnotation,
} from './identity.ts';
import { containerSecurityContext, type SecurityDefaults } from './security.ts';

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

  const mounts = await volumeMounts(context, input, lookup, signal);
  const hosts = await hostsMount(context, input);
  if (hosts !== undefined) mounts.push(hosts);
  const message = await terminationMessageMount(context, input);
  if (message !== undefined) mounts.push(message);
  await mkdir(join(sandboxConfig.logDirectory, container.name), { recursive: true, mode: 0o755 });

  const config: ContainerConfig = {
    metadata: { name: container.name, attempt: restartCount },
    image: input.imageRef,
    userSpecifiedImage: container.image ?? '',
    runtimeHandler: input.runtimeHandler.name,
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...envs].map(([key, value]) => ({ key, value })),
    mounts,
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
    throw new ContainerConfigError(error instanceof Error ? error.message : String(error));
  }
}

async function volumeMounts(
  context: ContainerContext,
  input: ContainerInput,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const [index, mount] of (input.container.volumeMounts ?? []).entries()) {
    mounts.push(await volumeMount(context, input, mount, index, lookup, signal));
  }
  return mounts;
}

async function volumeMount(
  context: ContainerContext,
  { pod, container, runtimeHandler }: ContainerInput,
  mount: VolumeMount,
  index: number,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Mount> {
  const subPath = checkedSubPath(mount, lookup);
  const source = context.volumes.source(pod, mount.name);
  if (source === undefined) {
    throw new ContainerConfigError(
      `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
    );
  }
  return {
    containerPath: isAbsolute(mount.mountPath) ? mount.mountPath : `/${mount.mountPath}`,
    hostPath:
      subPath === ''
        ? source.hostPath
        : await preparedSubPath(context, pod, container, mount, index, subPath, signal),
    readonly: (mount.readOnly ?? false) || source.readOnly,
    recursiveReadOnly: recursiveReadOnly(mount, runtimeHandler),
    selinuxRelabel: source.managed,
    propagation: propagationOf(mount),
  };
}

function checkedSubPath(mount: VolumeMount, lookup: Lookup): string {
  if (!mount.subPathExpr) return checkedInside(mount.subPath ?? '');
  const { value, missing } = expandStrict(mount.subPathExpr, lookup);
  if (missing.length > 0) throw new ContainerConfigError(`missing value for "${missing[0]}"`);
  return checkedInside(value);
}

function checkedInside(subPath: string): string {
  if (isAbsolute(subPath)) {
    throw new ContainerConfigError(`error SubPath \`${subPath}\` must not be an absolute path`);
  }
  if (subPath.split('/').includes('..')) {
    throw new ContainerConfigError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  return subPath;
}

async function preparedSubPath(
  context: ContainerContext,
  pod: Pod,
  container: AnyContainer,
  mount: VolumeMount,
  index: number,
  subPath: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    const place = { container: container.name, index, subPath };
    return await context.volumes.bindSubPath(pod, mount.name, place, signal);
  } catch (error) {
    signal.throwIfAborted();
    const detail = error instanceof Error ? error.message : String(error);
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}": ${detail}`,
    );
  }
}

function propagationOf(mount: VolumeMount): Mount['propagation'] {
  switch (mount.mountPropagation) {
    case undefined:
    case 'None':
      return 'PRIVATE';
    case 'HostToContainer':
      return 'HOST_TO_CONTAINER';
    case 'Bidirectional':
      return 'BIDIRECTIONAL';
    default:
      throw new ContainerConfigError(`invalid MountPropagation mode: "${mount.mountPropagation}"`);
  }
}

function recursiveReadOnly(mount: VolumeMount, handler: RuntimeHandler): boolean {
  switch (mount.recursiveReadOnly) {
    case undefined:
    case 'Disabled':
      return false;
    case 'IfPossible':
      return handler.recursiveReadOnlyMounts;
    case 'Enabled':
      if (handler.recursiveReadOnlyMounts) return true;
      throw new ContainerConfigError(
        `failed to resolve recursive read-only mode: volume "${mount.name}" requested recursive read-only mode, ` +
          'but it is not supported by the runtime',
      );
    default:
      throw new ContainerConfigError(`unknown recursive read-only mode "${mount.recursiveReadOnly}"`);
  }
}

const etcHosts = '/etc/hosts';

/** A pod with its own network has no file before it has an address; a container may bring its own. */
async function hostsMount(context: ContainerContext, input: ContainerInput): Promise<Mount | undefined> {
  const { pod, container, podIps } = input;
  if (podIps.length === 0 && !pod.spec?.hostNetwork) return undefined;
  // A host process sees the host's own file: a copy would only grow old.
  if (input.image === null && pod.spec?.hostNetwork && !pod.spec.hostAliases?.length) return undefined;
  if (container.volumeMounts?.some((mount) => mount.mountPath === etcHosts)) return undefined;
  const dir = podDir(context.paths, podUid(pod));
  return ownFile(await writePodHosts(dir, pod, podIps, context.clusterDomain), etcHosts);
}

/** How many instances' messages are kept: that of the running one and of those that its status still shows. */
const keptMessages = 3;

/** An empty file of its own for each instance, or a message of the last one would be taken for this one's. */
async function terminationMessageMount(
  context: ContainerContext,
  { pod, container, restartCount }: ContainerInput,
): Promise<Mount | undefined> {
  if (!container.terminationMessagePath) return undefined;
  const dir = join(podDir(context.paths, podUid(pod)), 'containers', container.name);
  await mkdir(dir, { recursive: true, mode: 0o750 });
  for (const name of await readdir(dir)) {
    if (Number(name) <= restartCount - keptMessages) await rm(join(dir, name));
  }
  const path = join(dir, `${restartCount}`);
  await rm(path, { force: true });
  await writeFile(path, '', { flag: 'wx' });
  // Whatever user the container runs as; the umask would take that away.
  await chmod(path, 0o666);
  return ownFile(path, container.terminationMessagePath);
}

const ownFile = (hostPath: string, containerPath: string): Mount => ({
  containerPath,
  hostPath,
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: true,
  propagation: 'PRIVATE',
});

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
