/** Which mounts a container gets, and in what order: a mount must come after those that hold its mount point. */
import { existsSync } from 'node:fs';
import { normalize } from 'node:path';
import type { Mount } from '../runtime.ts';
import type { Entry } from './record.ts';

/** Files of the sandbox that stand in for the host's, unless the caller mounts its own. */
export interface SandboxFiles {
  resolvConf?: string;
  hostname?: string;
}

export function mountEntries(mounts: readonly Mount[], files: SandboxFiles): Entry[] {
  return orderedMounts(withSandboxFiles(mounts, files)).flatMap((mount): Entry[] => [
    ['mount.source', mount.hostPath],
    ['mount.target', mount.containerPath],
    ['mount.options', mountOptions(mount)],
  ]);
}

export function orderedMounts(mounts: readonly Mount[]): Mount[] {
  const depth = ({ containerPath }: Mount): number =>
    normalize(containerPath).split('/').filter(Boolean).length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

function withSandboxFiles(mounts: readonly Mount[], files: SandboxFiles): Mount[] {
  const added = (
    [
      ['/etc/resolv.conf', files.resolvConf],
      ['/etc/hostname', files.hostname],
    ] as const
  ).flatMap(([containerPath, hostPath]) =>
    hostPath &&
    existsSync(containerPath) &&
    !mounts.some((mount) => normalize(mount.containerPath) === containerPath)
      ? [{ ...plainMount, containerPath, hostPath }]
      : [],
  );
  return [...added, ...mounts];
}

const plainMount: Omit<Mount, 'containerPath' | 'hostPath'> = {
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: false,
  propagation: 'PRIVATE',
};

function mountOptions(mount: Mount): string {
  const propagation = { PRIVATE: 'private', HOST_TO_CONTAINER: 'slave', BIDIRECTIONAL: 'shared' } as const;
  return [
    propagation[mount.propagation],
    ...(mount.readonly ? ['ro'] : []),
    ...(mount.recursiveReadOnly ? ['rro'] : []),
  ].join(',');
}
