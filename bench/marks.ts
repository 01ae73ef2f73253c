/**
 * What containers tell of themselves: each start appends a line to `/marks/NAME`, a directory of the host. The kernel's
 * time of that write is when it happened, whenever it is looked at.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Of a container's script, which sees the directory at `/marks`. */
export const markStart = (name: string): string => `echo started >> /marks/${name}`;

export class Marks {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** When the container started for the n-th time (epoch ms). */
  async started(name: string, n: number, timeoutMs = 180_000): Promise<number> {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      if (this.starts(name) >= n) return this.at(name);
      await sleep(2);
    }
    throw new Error(`${name} did not start for the ${n}. time within ${timeoutMs} ms`);
  }

  starts(name: string): number {
    const file = join(this.dir, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  }

  /** When something was last written there (epoch ms). */
  at(file: string): number {
    return statSync(join(this.dir, file)).mtimeMs;
  }

  /** A sign to a container that looks for it. */
  put(file: string): void {
    writeFileSync(join(this.dir, file), '');
  }
}
