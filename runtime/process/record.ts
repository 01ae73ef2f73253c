/** How a record is handed to roslet-oci: NUL-terminated `key=value` strings, in order, keys may repeat. */
import { writeFile } from 'node:fs/promises';
import { RuntimeError } from '../runtime.ts';

export type Entry = readonly [key: string, value: string | number];

export function encodeEntries(entries: readonly Entry[]): string {
  return entries
    .map(([key, value]) => {
      const text = `${key}=${value}`;
      if (text.includes('\0'))
        throw new RuntimeError(
          'InvalidArgument',
          `${key} holds a NUL character, which no process can be given`,
        );
      return `${text}\0`;
    })
    .join('');
}

export async function writeEntries(path: string, entries: readonly Entry[]): Promise<void> {
  await writeFile(path, encodeEntries(entries), { mode: 0o600 });
}
