/** Volumes that show a Secret: in memory, so that it never reaches the disk. */
import type { ObjectReader } from '../sources/source.ts';
import { contentPlugin, defaultFileMode } from './content.ts';
import { objectPayload } from './payload.ts';
import type { VolumePlugin } from './volume.ts';

export const secretPlugin = (objects: ObjectReader): VolumePlugin =>
  contentPlugin({
    dirName: 'kubernetes.io~secret',
    inMemory: true,
    payload({ pod }, volume, signal) {
      const { secretName = '', items, optional, defaultMode = defaultFileMode } = volume.secret ?? {};
      return objectPayload(
        objects,
        pod,
        { kind: 'secret', name: secretName, items, optional },
        defaultMode,
        signal,
      );
    },
  });
