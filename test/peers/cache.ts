/** Where test peers keep what is slow to get again: packages of other releases, images. Safe to delete at any time. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function cacheDir(...parts: string[]): string {
  const root = process.env.ROSLET_TEST_CACHE ?? join(homedir(), '.cache', 'roslet-test');
  const dir = join(root, ...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}
