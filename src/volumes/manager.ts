/**
 * The volumes of pods on disk, in the kubelet's layout below `pods/<uid>/`:
 *
 *     volumes/kubernetes.io~<kind>/<name>/            what containers see
 *     plugins/kubernetes.io~<kind>/<name>/            notes about it
 *     volume-subpaths/<volume>/<container>/<index>    bind mounts
 *
 * Nothing is remembered: the disk and the mount table are the truth, also after the agent was killed. Calls for one
 * pod must not overlap; its worker sees to that.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../api/core.gen.ts';
import { quantityValue } from '../api/quantity.ts';
import { messageOf } from '../error-message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { allContainers } from '../pods/containers.ts';
import { podUid } from '../pods/identity.ts';
import type { ResourceAmounts } from '../resources/amounts.ts';
import type { ClusterPort, ObjectReader } from '../sources/source.ts';
import { claimPlugin } from './claim.ts';
import { configMapPlugin } from './config-map.ts';
import { blockUsage } from './disk-usage.ts';
import { downwardApiPlugin } from './downward-api.ts';
import { emptyDirPlugin } from './empty-dir.ts';
import { hostPathPlugin } from './host-path.ts';
import { unmountBelow } from './mount.ts';
import { projectedPlugin } from './projected.ts';
import { hasCode, removeTree } from './safe-fs.ts';
import { secretPlugin } from './secret.ts';
import { bindSubPath, subPathTarget } from './sub-path.ts';
import { MissingObjectError, type VolumeContext, VolumeError, type VolumePlugin } from './volume.ts';

export interface VolumeManagerOptions {
  podsDir: string;
  objects: ObjectReader;
  /** Undefined: the node of no cluster. */
  cluster?: Pick<ClusterPort, 'token' | 'claimSource'>;
  /** Of the node, now. */
  allocatable(): ResourceAmounts;
  metrics: Pick<Metrics, 'observe'>;
}

export interface MountSource {
  hostPath: string;
  /** No container may write it. */
  readOnly: boolean;
  /** Made for the pod, so that it may be relabelled. */
  managed: boolean;
}

export interface EmptyDirUsage {
  volume: string;
  usedBytes: number;
  sizeLimitBytes: number;
}

/** As the kubelet's metric has it. */
export interface NodeVolume {
  /** `kubernetes.io/empty-dir` */
  plugin_name: string;
  state: 'desired_state_of_world' | 'actual_state_of_world';
}

export interface VolumeManager {
  /**
   * Makes the pod's volumes ready for its containers. Does nothing for those that are.
   * @throws VolumeError naming everything that is missing.
   */
  setUp(pod: Pod, signal: AbortSignal): Promise<void>;
  /**
   * Renders anew what the pod's volumes show.
   * @returns the volumes that changed.
   * @throws VolumeError after having rendered what it could.
   */
  refresh(pod: Pod, signal: AbortSignal): Promise<string[]>;
  /** Unmounts and removes the pod's volumes. What else is in its directory stays. */
  tearDown(podUid: string, signal: AbortSignal): Promise<void>;
  /** Unmounts and removes all that is below the pod's directory, and it. Nothing outside of it is touched. */
  removePodDir(podUid: string, signal: AbortSignal): Promise<void>;
  /** Of every pod that has a directory. */
  podUids(): Promise<string[]>;
  /** Undefined for a volume that the pod does not have, and for one of a kind that is not supported. */
  source(pod: Pod, volumeName: string): MountSource | undefined;
  /** Binds a part of a volume for one mount of a container, and returns where. */
  bindSubPath(
    pod: Pod,
    volumeName: string,
    mount: { container: string; index: number; subPath: string },
    signal: AbortSignal,
  ): Promise<string>;
  /** Each that is there, and each that these pods should have. `isUp`: nothing of the pod's is missing. */
  volumes(pods: readonly { pod: Pod; isUp: boolean }[]): Promise<NodeVolume[]>;
  /** Of the volumes with a sizeLimit. */
  emptyDirUsage(pod: Pod, signal: AbortSignal): Promise<EmptyDirUsage[]>;
}

export function volumeManager(options: VolumeManagerOptions): VolumeManager {
  const plugins = volumePlugins(options);

  const podDir = (uid: string): string => join(options.podsDir, checkedUid(uid));

  const locate = (pod: Pod, volume: Volume): Located => {
    const plugin = pluginOf(plugins, volume);
    const place = [plugin.dirName, volume.name];
    const dir = podDir(podUid(pod));
    return {
      plugin,
      volume,
      dir: join(dir, 'volumes', ...place),
      context: { pod, allocatable: options.allocatable(), metaDir: join(dir, 'plugins', ...place) },
    };
  };

  const source = (pod: Pod, name: string): MountSource | undefined => {
    const volume = pod.spec?.volumes?.find((candidate) => candidate.name === name);
    if (volume === undefined || !isSupported(plugins, kindOf(volume))) return undefined;
    const { plugin, dir } = locate(pod, volume);
    return {
      hostPath: plugin.hostPath?.(volume) ?? dir,
      readOnly: plugin.readOnly || volume.persistentVolumeClaim?.readOnly === true,
      managed: plugin.managed,
    };
  };

  return {
    async setUp(pod, signal) {
      await forEachVolume(mountedVolumes(pod), signal, async (volume) => {
        const { plugin, dir, context } = locate(pod, volume);
        await timed(plugin, options.metrics, () => plugin.setUp(context, volume, dir, signal));
      });
    },

    async refresh(pod, signal) {
      const changed: string[] = [];
      await forEachVolume(mountedVolumes(pod), signal, async (volume) => {
        const { plugin, dir, context } = locate(pod, volume);
        if (await plugin.refresh?.(context, volume, dir, signal)) changed.push(volume.name);
      });
      return changed;
    },

    async tearDown(uid, signal) {
      const dir = podDir(uid);
      await unmountBelow(dir, signal);
      for (const part of ['volume-subpaths', 'volumes', 'plugins']) await removeTree(join(dir, part), signal);
    },

    async removePodDir(uid, signal) {
      const dir = podDir(uid);
      await unmountBelow(dir, signal);
      await removeTree(dir, signal);
    },

    async podUids() {
      try {
        const entries = await readdir(options.podsDir, { withFileTypes: true });
        return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return [];
        throw error;
      }
    },

    source,

    async volumes(pods) {
      const desired = pods.flatMap(({ pod, isUp }) =>
        mountedVolumes(pod)
          .filter((volume) => isSupported(plugins, kindOf(volume)))
          .map((volume) => ({ isUp, ...locate(pod, volume) })),
      );
      const found = await Promise.all((await this.podUids()).map((uid) => volumeDirs(podDir(uid))));
      // What is the host's own has no directory of the pod.
      const ofHost = desired.filter(({ plugin, isUp }) => isUp && plugin.hostPath !== undefined);
      return [
        ...desired.map(({ plugin }) => nodeVolume(plugin.dirName, 'desired_state_of_world')),
        ...ofHost.map(({ plugin }) => nodeVolume(plugin.dirName, 'actual_state_of_world')),
        ...found.flat().map((dirName) => nodeVolume(dirName, 'actual_state_of_world')),
      ];
    },

    async bindSubPath(pod, volumeName, { container, index, subPath }, signal) {
      const found = source(pod, volumeName);
      if (found === undefined) throw new VolumeError(volumeName, `pod has no volume ${volumeName}`);
      const target = subPathTarget(podDir(podUid(pod)), volumeName, container, index);
      await bindSubPath(found.hostPath, subPath, target, signal);
      return target;
    },

    async emptyDirUsage(pod, signal) {
      const usages: EmptyDirUsage[] = [];
      for (const volume of pod.spec?.volumes ?? []) {
        // A sizeLimit of 0 is none.
        const sizeLimitBytes = quantityValue(volume.emptyDir?.sizeLimit ?? '0');
        if (sizeLimitBytes <= 0) continue;
        const usedBytes = await blockUsage(locate(pod, volume).dir, signal);
        usages.push({ volume: volume.name, usedBytes, sizeLimitBytes });
      }
      return usages;
    },
  };
}

const nodeVolume = (dirName: string, state: NodeVolume['state']): NodeVolume => ({
  plugin_name: pluginName(dirName),
  state,
});

/** The kinds of the volumes that a pod has on disk, each as often as it is there. */
async function volumeDirs(podDir: string): Promise<string[]> {
  const dir = join(podDir, 'volumes');
  const kinds = await namesIn(dir);
  const names = await Promise.all(kinds.map((kind) => namesIn(join(dir, kind))));
  return kinds.flatMap((kind, index) => names[index]!.map(() => kind));
}

/** None of a directory that is not there, or is just being removed, or of a stray file. */
async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

const pluginName = (dirName: string): string => dirName.replace('~', '/');

async function timed(
  { dirName }: VolumePlugin,
  metrics: Pick<Metrics, 'observe'>,
  work: () => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  let status = 'fail-unknown';
  try {
    await work();
    status = 'success';
  } finally {
    const labels = { migrated: 'false', operation_name: 'volume_mount', status };
    const volume_plugin = pluginName(dirName);
    const seconds = (performance.now() - startedMs) / 1000;
    metrics.observe('storage_operation_duration_seconds', seconds, { ...labels, volume_plugin });
  }
}

interface Located {
  plugin: VolumePlugin;
  volume: Volume;
  dir: string;
  context: VolumeContext;
}

type SupportedKind =
  | 'emptyDir'
  | 'hostPath'
  | 'configMap'
  | 'secret'
  | 'downwardAPI'
  | 'projected'
  | 'persistentVolumeClaim'
  | 'ephemeral';

const volumePlugins = ({
  objects,
  cluster,
  podsDir,
}: VolumeManagerOptions): Record<SupportedKind, VolumePlugin> => ({
  emptyDir: emptyDirPlugin(),
  hostPath: hostPathPlugin(),
  configMap: configMapPlugin(objects),
  secret: secretPlugin(objects),
  downwardAPI: downwardApiPlugin(),
  projected: projectedPlugin(objects, cluster),
  persistentVolumeClaim: claimPlugin(cluster, podsDir),
  ephemeral: claimPlugin(cluster, podsDir),
});

function pluginOf(plugins: Record<SupportedKind, VolumePlugin>, volume: Volume): VolumePlugin {
  const kind = kindOf(volume);
  if (!isSupported(plugins, kind)) {
    throw new VolumeError(volume.name, `no volume plugin matched: roslet has none for ${kind}`);
  }
  return plugins[kind];
}

/** A volume without a source is an emptyDir. */
const kindOf = (volume: Volume): string =>
  Object.entries(volume).find(([field, value]) => field !== 'name' && value !== undefined)?.[0] ?? 'emptyDir';

const isSupported = (plugins: Record<SupportedKind, VolumePlugin>, kind: string): kind is SupportedKind =>
  Object.hasOwn(plugins, kind);

/** Volumes that no container mounts are not made, and so hold nothing up. */
function mountedVolumes(pod: Pod): Volume[] {
  const mounts = allContainers(pod).flatMap(({ volumeMounts = [] }) => volumeMounts);
  const names = new Set(mounts.map(({ name }) => name));
  return (pod.spec?.volumes ?? []).filter(({ name }) => names.has(name));
}

/** All are tried: a volume that cannot be had must not keep the others' trouble from being told. */
async function forEachVolume(
  volumes: readonly Volume[],
  signal: AbortSignal,
  work: (volume: Volume) => Promise<void>,
): Promise<void> {
  const failures: VolumeError[] = [];
  await Promise.all(
    volumes.map(async (volume) => {
      try {
        await work(volume);
      } catch (error) {
        const message = messageOf(error);
        failures.push(
          new VolumeError(volume.name, `MountVolume.SetUp failed for volume "${volume.name}" : ${message}`, {
            cause: error,
            isTold: error instanceof MissingObjectError,
          }),
        );
      }
    }),
  );
  signal.throwIfAborted();
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first;
  throw new VolumeError(first.volume, failures.map(({ message }) => message).join('; '), {
    cause: failures,
    isTold: failures.every(({ isTold }) => isTold),
  });
}

/** An empty or dotted uid would name more than one pod's directory. */
function checkedUid(uid: string): string {
  if (uid === '' || uid === '.' || uid === '..' || uid.includes('/')) {
    throw new Error(`'${uid}' is not the uid of a pod`);
  }
  return uid;
}
