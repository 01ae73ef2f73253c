/**
 * Tells at once when conmon of a container has ended, also when it was killed. It holds a fifo open for as long as it
 * lives, so reading that ends with it. A hint: a container of an older agent has no fifo, and a conmon may not keep it.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from '../../src/log.ts';
import { hasCode } from './files.ts';
import type { Store } from './store.ts';

export interface SupervisorWatch {
  /** Begins to watch the conmon of a container; once is enough. */
  follow(id: string): void;
  forget(id: string): void;
}

const fifoName = 'alive';

/** Made and held open by the launcher, which becomes conmon. */
export const supervisorFifo = ({ containers }: Store, id: string): string =>
  join(containers.directory(id), fifoName);

export function supervisorWatch(
  directory: (id: string) => string,
  ended: (id: string) => void,
  log: Logger,
): SupervisorWatch {
  const followed = new Map<string, Socket | undefined>();
  return {
    follow(id) {
      if (followed.has(id)) return;
      followed.set(id, undefined);
      try {
        const reading = read(join(directory(id), fifoName));
        reading.once('end', () => ended(id));
        reading.once('error', (err) => log.warn({ err, containerId: id }, unwatched));
        followed.set(id, reading);
      } catch (err) {
        if (!hasCode(err, 'ENOENT')) log.warn({ err, containerId: id }, unwatched);
      }
    },
    forget(id) {
      followed.get(id)?.destroy();
      followed.delete(id);
    },
  };
}

const unwatched = 'conmon of a container cannot be watched: its end is seen later than it could be';

/** As a socket: reading as a file would block a thread. */
function read(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, readable: true, writable: false }).unref().resume();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
