/**
 * The last good version of every manifest, kept over restarts of the agent: a file that is bad when the agent starts
 * then still has what it asked for before, and no pod is stopped because of a typing mistake and a restart.
 */
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import type { LoadedObject } from './manifest-load.ts';

export interface LastGood {
  load(): Promise<ReadonlyMap<string, LoadedObject[]>>;
  put(file: string, objects: readonly LoadedObject[]): Promise<void>;
  delete(file: string): Promise<void>;
}

export function lastGood(store: Store, log: Logger): LastGood {
  /** The manifests themselves are there: that the copy cannot be written is told, and stops nothing. */
  const attempt = async (write: Promise<void>, file: string): Promise<void> => {
    try {
      await write;
    } catch (err) {
      log.error({ err, file }, 'the last good version of a manifest cannot be kept for the next start');
    }
  };
  return {
    async load() {
      try {
        const records = await store.load<LoadedObject[]>(KIND);
        return new Map(records.map(({ key, value }) => [key, value]));
      } catch (err) {
        log.error(
          { err },
          'the last good versions of the manifests cannot be read; what is bad now asks for nothing',
        );
        return new Map();
      }
    },
    put: (file, objects) => attempt(store.put(KIND, file, objects), file),
    delete: (file) => attempt(store.delete(KIND, file), file),
  };
}

const KIND = 'manifests';
