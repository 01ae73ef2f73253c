/** The volumes of one pod on the real file system, with real mounts: needs root. Made anew for each test. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach } from 'vitest';
import type { ConfigMap, Pod, Secret, Volume } from '../../src/api/core.gen.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import type { ObjectReader } from '../../src/sources/source.ts';
import { type VolumeManager, type VolumeManagerOptions, volumeManager } from '../../src/volumes/manager.ts';
import { mountPoints } from '../../src/volumes/mount.ts';

export const run = promisify(execFile);
export const signal = new AbortController().signal;
export const uid = '5c1c6a5e-volumes-test';
export const mib = 1024 ** 2;

export interface VolumesPlace {
  root: string;
  podsDir: string;
  configMaps: Record<string, ConfigMap>;
  secrets: Record<string, Secret>;
  volumes: VolumeManager;
  /** As that of an agent that is started again. */
  newManager(more?: Pick<VolumeManagerOptions, 'cluster'>): VolumeManager;
  pathOf(pod: Pod, name: string): string;
}

/** Everything is taken away after each test of the file. */
export function volumesPlace(): VolumesPlace {
  const objects: ObjectReader = {
    configMap: async (_, name) => place.configMaps[name],
    secret: async (_, name) => place.secrets[name],
    onObjectChange: () => () => {},
  };
  const newManager: VolumesPlace['newManager'] = (more = {}) =>
    volumeManager({
      podsDir: place.podsDir,
      objects,
      allocatable: () => ({ cpu: 1000, memory: 64 * mib }),
      metrics: createMetrics(),
      ...more,
    });
  const place = {
    newManager,
    pathOf: (pod, name) => place.volumes.source(pod, name)!.hostPath,
  } as VolumesPlace;

  beforeEach(async () => {
    const root = await mkdtemp('/tmp/roslet-volumes-');
    const podsDir = join(root, 'pods');
    await mkdir(podsDir);
    Object.assign(place, { root, podsDir, configMaps: {}, secrets: {} });
    place.volumes = newManager();
  });

  afterEach(async () => {
    const { root } = place;
    for (const { path } of (await mountsIn(root)).reverse()) await run('/bin/umount', ['--lazy', path]);
    await rm(root, { recursive: true });
  });

  return place;
}

export const podWith = (list: Volume[], fsGroup?: number): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid, labels: { a: '1' } },
  spec: {
    securityContext: { fsGroup },
    containers: [{ name: 'c', volumeMounts: list.map(({ name }) => ({ name, mountPath: `/${name}` })) }],
    volumes: list,
  },
});

export const mountsIn = async (dir: string) =>
  (await mountPoints()).filter(({ path }) => path.startsWith(`${dir}/`));

/** What a container sees in a volume that shows content. */
export async function seen(dir: string): Promise<Record<string, string>> {
  const names = (await readdir(dir)).filter((name) => !name.startsWith('..'));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const)),
  );
}
