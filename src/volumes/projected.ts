/** Volumes that show config maps, secrets and the downward API in one directory; a later source wins a path. */
import type { VolumeProjection } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import type { ClusterPort, ObjectReader } from '../sources/source.ts';
import { contentPlugin, defaultFileMode } from './content.ts';
import { fsUser } from './fs-user.ts';
import { downwardPayload, objectPayload } from './payload.ts';
import { MissingObjectError, type VolumeContext, type VolumePlugin } from './volume.ts';
import type { PayloadFile } from './writer.ts';

export const projectedPlugin = (
  objects: ObjectReader,
  cluster: Pick<ClusterPort, 'token'> | undefined,
): VolumePlugin =>
  contentPlugin({
    dirName: 'kubernetes.io~projected',
    inMemory: true,
    async payload(context, volume, signal) {
      const { sources = [], defaultMode = defaultFileMode } = volume.projected ?? {};
      const files = new Map<string, PayloadFile>();
      const failures: unknown[] = [];
      for (const source of sources) {
        try {
          const part = await sourcePayload(source, context, { objects, cluster }, defaultMode, signal);
          for (const [path, file] of part) files.set(path, file);
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error);
        }
      }
      if (failures.length > 0) {
        // All at once: whoever mends the first must not find the second only then.
        const [first = '', ...more] = failures.map(messageOf);
        const Kind = failures.every((each) => each instanceof MissingObjectError)
          ? MissingObjectError
          : Error;
        throw new Kind(more.length === 0 ? first : `[${[first, ...more].join(', ')}]`);
      }
      return files;
    },
  });

const tokenMode = 0o600;

interface Providers {
  objects: ObjectReader;
  cluster: Pick<ClusterPort, 'token'> | undefined;
}

async function sourcePayload(
  source: VolumeProjection,
  { pod, allocatable }: VolumeContext,
  { objects, cluster }: Providers,
  defaultMode: number,
  signal: AbortSignal,
): Promise<Map<string, PayloadFile>> {
  if (source.configMap) {
    const { name = '', items, optional } = source.configMap;
    return objectPayload(objects, pod, { kind: 'configmap', name, items, optional }, defaultMode, signal);
  }
  if (source.secret) {
    const { name = '', items, optional } = source.secret;
    return objectPayload(objects, pod, { kind: 'secret', name, items, optional }, defaultMode, signal);
  }
  if (source.downwardAPI) {
    return downwardPayload(pod, source.downwardAPI.items ?? [], allocatable, defaultMode);
  }
  if (source.serviceAccountToken && cluster !== undefined) {
    const token = await cluster.token(pod, source.serviceAccountToken, signal);
    // A token is for one reader, where one is known: the user of all containers, or the group of the volume.
    const uid = fsUser(pod);
    const isForOne = uid !== undefined || pod.spec?.securityContext?.fsGroup !== undefined;
    const file = {
      data: Buffer.from(token),
      mode: isForOne ? tokenMode : defaultMode,
      ...(uid !== undefined && { uid }),
    };
    return new Map([[source.serviceAccountToken.path, file]]);
  }
  const kind = Object.entries(source).find(([, value]) => value !== undefined)?.[0];
  throw new Error(
    kind === undefined
      ? 'a projected source is empty'
      : `projected source ${kind} needs a cluster, which this node has not joined`,
  );
}
