/** The volume mounts of a container as CRI takes them. The volumes are set up; sub paths are bound here. */
import { isAbsolute } from 'node:path';
import type { Mount, RuntimeHandler } from '../../../runtime/runtime.ts';
import type { Pod, VolumeMount } from '../../api/core.gen.ts';
import { messageOf } from '../../error-message.ts';
import type { VolumeManager } from '../../volumes/manager.ts';
import type { AnyContainer } from '../identity.ts';
import { ContainerConfigError } from './config-error.ts';
import { expandStrict, type Lookup } from './expansion.ts';

type Volumes = Pick<VolumeManager, 'source' | 'bindSubPath'>;

interface MountsInput {
  pod: Pod;
  container: AnyContainer;
  runtimeHandler: RuntimeHandler;
}

/**
 * @param lookup of the container's environment, for `subPathExpr`
 * @throws ContainerConfigError when a mount cannot be had as the container asks
 */
export async function volumeMounts(
  volumes: Volumes,
  { pod, container, runtimeHandler }: MountsInput,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const place = { container: container.name, index, subPath: checkedSubPath(mount, lookup) };
    const source = volumes.source(pod, mount.name);
    if (source === undefined) {
      throw new ContainerConfigError(
        `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
      );
    }
    mounts.push({
      containerPath: isAbsolute(mount.mountPath) ? mount.mountPath : `/${mount.mountPath}`,
      hostPath:
        place.subPath === '' ? source.hostPath : await boundSubPath(volumes, pod, mount, place, signal),
      readonly: (mount.readOnly ?? false) || source.readOnly,
      recursiveReadOnly: recursiveReadOnly(mount, runtimeHandler),
      selinuxRelabel: source.managed,
      propagation: propagationOf(mount),
    });
  }
  return mounts;
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

async function boundSubPath(
  volumes: Volumes,
  pod: Pod,
  mount: VolumeMount,
  place: Parameters<Volumes['bindSubPath']>[2],
  signal: AbortSignal,
): Promise<string> {
  try {
    return await volumes.bindSubPath(pod, mount.name, place, signal);
  } catch (error) {
    signal.throwIfAborted();
    const detail = messageOf(error);
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount "${mount.name}" of container "${place.container}": ${detail}`,
    );
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
