/** The programs of our own that the agent runs. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Beside the bundle; in a checkout that runs from source, where the build puts it. */
export function program(name: string): string {
  const candidates = [`./${name}`, `../dist/${name}`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return candidates.find((path) => existsSync(path)) ?? candidates[0]!;
}
