/** What the licences of the packages in a bundle ask for: their text goes with it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The licences of all packages that the files belong to, as one text.
 * @param files paths below `root`, as esbuild's metafile has them
 * @throws where a package says nothing of its licence
 */
export async function licencesOf(files: Iterable<string>, root: string): Promise<string> {
  const packages = new Map<string, string[]>();
  for (const file of files) {
    const folder = packageFolder(file);
    if (folder === undefined) continue;
    packages.set(folder, [...(packages.get(folder) ?? []), join(root, file)]);
  }
  const parts = [...packages].sort().map(([folder, used]) => licenceIn(join(root, folder), used));
  return (await Promise.all(parts)).join(`\n${'-'.repeat(80)}\n\n`);
}

/** Undefined for a file of our own. Of a package within a package the inner one. */
export function packageFolder(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

async function licenceIn(folder: string, used: readonly string[]): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const [file] = (await readdir(folder)).filter((each) => /^licen[cs]e/i.test(each)).sort();
  const text = file === undefined ? await noticesOf(used) : await readFile(join(folder, file), 'utf8');
  if (text === '') throw new Error(`${name} ${version} comes without a licence: find out, or do without it`);
  return `${name} ${version}: ${license}\n\n${text.trim()}\n`;
}

/** A package may have its licences at the heads of its files alone. */
async function noticesOf(files: readonly string[]): Promise<string> {
  const notices = new Set<string>();
  for (const path of [...files].sort())
    for (const [comment] of (await readFile(path, 'utf8')).matchAll(/(?:^\/\/.*\n)+/gm))
      if (comment.includes('Copyright')) notices.add(comment.replaceAll(/^\/\/ ?/gm, ''));
  return [...notices].join('\n');
}
