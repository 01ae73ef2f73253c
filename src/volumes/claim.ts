/**
 * Volumes of persistent claims: a directory of the node, bound to the pod's own place for it. What a claim came to is
 * noted beside it, so that the pod starts again while the cluster cannot be asked.
 */
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../api/core.gen.ts';
import { podName } from '../pods/identity.ts';
import type { ClaimSource, ClusterPort } from '../sources/source.ts';
import { makeDirectory } from './directory.ts';
import { bindDescriptor, isSharedBelow, mountedAt } from './mount.ts';
import { giveToGroup } from './ownership.ts';
import { hasCode } from './safe-fs.ts';
import type { VolumeContext, VolumePlugin } from './volume.ts';

export const claimPlugin = (
  cluster: Pick<ClusterPort, 'claimSource'> | undefined,
  podsDir: string,
): VolumePlugin => ({
  dirName: 'kubernetes.io~local-volume',
  readOnly: false,
  managed: false,
  async setUp({ pod, metaDir }, volume, dir, signal) {
    const owned = join(metaDir, 'owned');
    const { fsGroup, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
    const isMounted = (await mountedAt(dir)) !== undefined;
    const keepsGroup = fsGroup === undefined || volume.persistentVolumeClaim?.readOnly === true;
    if (isMounted && (keepsGroup || (await exists(owned)))) return;
    if (cluster === undefined) throw new Error('claims need a cluster, which this node has not joined');
    const { path, kind } = await sourceOf(cluster, pod, metaDir, volume, signal);
    await makeDirectory(dir);
    if (!isMounted) await bind(path, dir, signal);
    if (keepsGroup || kind !== 'local') return;
    // Once, by the first pod that has it: others have files open there by now, perhaps for another group.
    if (!(await isSharedBelow(podsDir, dir))) {
      await giveToGroup(dir, fsGroup, fsGroupChangePolicy === 'OnRootMismatch', signal);
    }
    await writeFile(owned, '');
  },
});

async function bind(path: string, dir: string, signal: AbortSignal): Promise<void> {
  let source: Awaited<ReturnType<typeof open>>;
  try {
    source = await open(path, 'r');
  } catch (error) {
    throw new Error(`the path ${path} of the volume is not there: ${(error as Error).message}`);
  }
  try {
    if (!(await source.stat()).isDirectory()) throw new Error(`${path} is not a directory`);
    await bindDescriptor(source.fd, dir, signal);
  } finally {
    await source.close();
  }
}

async function sourceOf(
  cluster: Pick<ClusterPort, 'claimSource'>,
  pod: Pod,
  metaDir: VolumeContext['metaDir'],
  volume: Volume,
  signal: AbortSignal,
): Promise<ClaimSource> {
  const note = join(metaDir, 'source');
  const claim =
    volume.ephemeral === undefined
      ? { claimName: volume.persistentVolumeClaim?.claimName ?? '', ofPod: false }
      : { claimName: `${podName(pod)}-${volume.name}`, ofPod: true };
  // A bound claim never changes to another volume.
  const noted = sourceIn(await readNote(note));
  if (noted !== undefined) return noted;
  const source = await cluster.claimSource(pod, claim, signal);
  await makeDirectory(metaDir);
  await writeFile(`${note}.new`, JSON.stringify(source), { mode: 0o600, flush: true });
  await rename(`${note}.new`, note);
  return source;
}

/** Undefined for a note that a power cut has torn: the cluster is asked again. */
function sourceIn(note: string | undefined): ClaimSource | undefined {
  try {
    const { path, kind } = JSON.parse(note ?? '{}') ?? {};
    return typeof path === 'string' && (kind === 'local' || kind === 'hostPath') ? { path, kind } : undefined;
  } catch {
    return undefined;
  }
}

const exists = async (path: string): Promise<boolean> => (await readNote(path)) !== undefined;

async function readNote(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
