/**
 * Volumes of persistent claims: a directory of the node, bound to the pod's own place for it. What a claim came to is
 * noted beside it, so that the pod starts again while the cluster cannot be asked.
 */
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../api/core.gen.ts';
import { podName } from '../pods/identity.ts';
import type { ClusterPort } from '../sources/source.ts';
import { makeDirectory } from './directory.ts';
import { bindDescriptor, mountedAt } from './mount.ts';
import { hasCode } from './safe-fs.ts';
import type { VolumeContext, VolumePlugin } from './volume.ts';

export const claimPlugin = (cluster: Pick<ClusterPort, 'claimPath'> | undefined): VolumePlugin => ({
  dirName: 'kubernetes.io~local-volume',
  readOnly: false,
  managed: false,
  async setUp({ pod, metaDir }, volume, dir, signal) {
    if ((await mountedAt(dir)) !== undefined) return;
    if (cluster === undefined) throw new Error('claims need a cluster, which this node has not joined');
    const path = await pathOf(cluster, pod, metaDir, volume, signal);
    await makeDirectory(dir);
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
  },
});

async function pathOf(
  cluster: Pick<ClusterPort, 'claimPath'>,
  pod: Pod,
  metaDir: VolumeContext['metaDir'],
  volume: Volume,
  signal: AbortSignal,
): Promise<string> {
  const note = join(metaDir, 'path');
  const claim =
    volume.ephemeral === undefined
      ? { claimName: volume.persistentVolumeClaim?.claimName ?? '', ofPod: false }
      : { claimName: `${podName(pod)}-${volume.name}`, ofPod: true };
  // A bound claim never changes to another volume.
  const noted = await readNote(note);
  if (noted !== undefined) return noted;
  const path = await cluster.claimPath(pod, claim, signal);
  await makeDirectory(metaDir);
  await writeFile(note, path, { mode: 0o600 });
  return path;
}

async function readNote(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')) || undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
