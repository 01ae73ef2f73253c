import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { licencesOf, packageFolder } from './licences.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'roslet-licences-'));
  const given = async (name: string, files: Record<string, string>) => {
    const folder = join(root, 'node_modules', name);
    await mkdir(folder, { recursive: true });
    const about = { name, version: '1.0.0', license: 'MIT' };
    await writeFile(join(folder, 'package.json'), JSON.stringify(about));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  };
  await given('b', { LICENSE: 'text of b\n' });
  await given('@a/a', { 'LICENCE.md': 'text of a' });
  await given('bare', { 'x.js': '// What it is for.\n1;\n' });
  const notice = '// Copyright of the author\n//\n// Do as you like.\n';
  await given('heads', { 'x.js': `${notice}\n1;\n`, 'y.js': `${notice}\n2;\n` });
});
afterAll(() => rm(root, { recursive: true }));

it.each([
  ['src/main.ts', undefined],
  ['node_modules/b/lib/index.js', 'node_modules/b'],
  ['node_modules/@a/a/index.js', 'node_modules/@a/a'],
  ['node_modules/b/node_modules/c/index.js', 'node_modules/b/node_modules/c'],
])('%s belongs to %s', (file, folder) => {
  expect(packageFolder(file)).toBe(folder);
});

it('has each package once, in the order of their names', async () => {
  const files = ['src/main.ts', 'node_modules/b/x.js', 'node_modules/@a/a/x.js', 'node_modules/b/y.js'];
  expect(await licencesOf(files, root)).toBe(
    `@a/a 1.0.0: MIT\n\ntext of a\n\n${'-'.repeat(80)}\n\nb 1.0.0: MIT\n\ntext of b\n`,
  );
});

it('takes the heads of the files where there is nothing else, each once', async () => {
  expect(await licencesOf(['node_modules/heads/x.js', 'node_modules/heads/y.js'], root)).toBe(
    'heads 1.0.0: MIT\n\nCopyright of the author\n\nDo as you like.\n',
  );
});

it('refuses a package without one', async () => {
  await expect(licencesOf(['node_modules/bare/x.js'], root)).rejects.toThrow(
    'bare 1.0.0 comes without a licence: find out, or do without it',
  );
});
