/** Volumes that show a ConfigMap. */
import type { ObjectReader } from '../sources/source.ts';
import { contentPlugin, defaultFileMode } from './content.ts';
import { objectPayload } from './payload.ts';
import type { VolumePlugin } from './volume.ts';

export const configMapPlugin = (objects: ObjectReader): VolumePlugin =>
  contentPlugin({
    dirName: 'kubernetes.io~configmap',
    inMemory: false,
    payload({ pod }, volume, signal) {
      const { name = '', items, optional, defaultMode = defaultFileMode } = volume.configMap ?? {};
      return objectPayload(objects, pod, { kind: 'configmap', name, items, optional }, defaultMode, signal);
    },
  });
