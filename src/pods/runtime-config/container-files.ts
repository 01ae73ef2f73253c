/** What a container gets of files of its own, apart from its volumes: /etc/hosts and the one for its last words. */
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { type Paths, podDir } from '../../paths.ts';
import { hasCode } from '../../volumes/safe-fs.ts';
import { type AnyContainer, podUid } from '../identity.ts';
import { writePodHosts } from './etc-files.ts';
import { openOwn } from './open-own.ts';

const etcHosts = '/etc/hosts';

interface HostsInput {
  pod: Pod;
  container: AnyContainer;
  /** Primary first; empty on the host's network. */
  podIps: readonly string[];
  /** Null for a runtime without images. */
  image: object | null;
}

/** A pod with its own network has no file before it has an address; a container may bring its own. */
export async function hostsFile(
  { paths, clusterDomain }: { paths: Paths; clusterDomain: string },
  { pod, container, podIps, image }: HostsInput,
): Promise<Mount | undefined> {
  if (podIps.length === 0 && !pod.spec?.hostNetwork) return undefined;
  // A host process sees the host's own file: a copy would only grow old.
  if (image === null && pod.spec?.hostNetwork && !pod.spec.hostAliases?.length) return undefined;
  if (container.volumeMounts?.some((mount) => mount.mountPath === etcHosts)) return undefined;
  const dir = podDir(paths, podUid(pod));
  return ownFile(await writePodHosts(dir, pod, podIps, clusterDomain), etcHosts);
}

/** How many instances' messages are kept: that of the running one and of those that its status still shows. */
const keptMessages = 3;

/** An empty file of its own for each instance, or a message of the last one would be taken for this one's. */
export async function terminationMessageFile(
  paths: Paths,
  { pod, container, restartCount }: { pod: Pod; container: AnyContainer; restartCount: number },
): Promise<Mount | undefined> {
  if (!container.terminationMessagePath) return undefined;
  const dir = join(podDir(paths, podUid(pod)), 'containers', container.name);
  if (restartCount >= keptMessages) await removeMessages(dir, restartCount - keptMessages);
  const path = join(dir, `${restartCount}`);
  await using file = await openEmpty(path);
  // Whatever user the container runs as; the umask would take that away.
  await file.chmod(0o666);
  return ownFile(path, container.terminationMessagePath);
}

async function removeMessages(dir: string, upTo: number): Promise<void> {
  for (const name of await readdir(dir)) if (Number(name) <= upTo) await rm(join(dir, name));
}

async function openEmpty(path: string): Promise<FileHandle> {
  try {
    return await openOwn(path, 'wx');
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    await rm(path);
    return open(path, 'wx');
  }
}

const ownFile = (hostPath: string, containerPath: string): Mount => ({
  containerPath,
  hostPath,
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: true,
  propagation: 'PRIVATE',
});
