/** Volumes that show the pod's metadata and its containers' resources. */
import { contentPlugin, defaultFileMode } from './content.ts';
import { downwardPayload } from './payload.ts';
import type { VolumePlugin } from './volume.ts';

export const downwardApiPlugin = (): VolumePlugin =>
  contentPlugin({
    dirName: 'kubernetes.io~downward-api',
    inMemory: true,
    async payload({ pod, allocatable }, volume) {
      const { items = [], defaultMode = defaultFileMode } = volume.downwardAPI ?? {};
      return downwardPayload(pod, items, allocatable, defaultMode);
    },
  });
