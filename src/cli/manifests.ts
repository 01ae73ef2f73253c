/** Manifests given on the command line: files, directories, standard input. All are read before anything is sent. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type DecodedObject, decodeManifest, formatManifestError } from '../api/decode.ts';
import { CliError } from './errors.ts';

/** The API's name of what a manifest's kind is kept under. */
export const resourceOfKind = { Pod: 'pods', ConfigMap: 'configmaps', Secret: 'secrets' } as const;

/** @throws CliError with every error of every manifest */
export async function readManifests(paths: readonly string[]): Promise<DecodedObject[]> {
  const objects: DecodedObject[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    for (const { file, content } of await readPath(path)) {
      const decoded = decodeManifest(content, file);
      objects.push(...decoded.objects);
      problems.push(...decoded.errors.map(formatManifestError));
    }
  }
  if (problems.length > 0) throw new CliError(problems.join('\n'));
  if (objects.length === 0) throw new CliError(`${paths.join(', ')}: no objects found`);
  return objects;
}

/** @throws CliError when it cannot be read */
export async function readPath(path: string): Promise<{ file: string; content: string }[]> {
  if (path === '-') return [{ file: 'standard input', content: await text(process.stdin) }];
  try {
    if (!(await stat(path)).isDirectory()) return [{ file: path, content: await readFile(path, 'utf8') }];
    const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
    if (names.length === 0) throw new CliError(`${path}: no .yaml, .yml or .json file in this directory`);
    return await Promise.all(
      names.map(async (name) => ({
        file: join(path, name),
        content: await readFile(join(path, name), 'utf8'),
      })),
    );
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CliError(`${path}: ${code === 'ENOENT' ? 'no such file or directory' : message}`, 1, { cause });
  }
}
