/** What the volumes that show content have in common: a payload, rendered once and again when it may have changed. */
import type { Volume } from '../api/core.gen.ts';
import { ensureTmpfs, makeDirectory } from './directory.ts';
import type { VolumeContext, VolumePlugin } from './volume.ts';
import { isRendered, type Payload, writePayload } from './writer.ts';

export interface ContentKind {
  dirName: string;
  /** Keeps the content off the disk. */
  inMemory: boolean;
  /** @throws Error that says what is missing. */
  payload(context: VolumeContext, volume: Volume, signal: AbortSignal): Promise<Payload>;
}

export const defaultFileMode = 0o644;

export function contentPlugin(kind: ContentKind): VolumePlugin {
  const render = async (context: VolumeContext, volume: Volume, dir: string, signal: AbortSignal) => {
    // First: nothing is made for a pod that has to wait for its objects.
    const payload = await kind.payload(context, volume, signal);
    if (kind.inMemory) await ensureTmpfs(dir, undefined, signal);
    else await makeDirectory(dir);
    return writePayload(dir, payload, context.pod.spec?.securityContext?.fsGroup, signal);
  };
  return {
    dirName: kind.dirName,
    readOnly: true,
    managed: true,
    async setUp(context, volume, dir, signal) {
      try {
        await render(context, volume, dir, signal);
      } catch (error) {
        // A container may start again on what its volume showed until now; the refresh tells of the trouble.
        if (signal.aborted || !(await isRendered(dir))) throw error;
      }
    },
    refresh: render,
  };
}
