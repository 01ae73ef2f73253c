import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { placeProgram } from './place-program.ts';

it('replaces a link by the program, and leaves alone what it points at', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roslet-place-'));
  try {
    const [from, other, to] = ['from', 'other', 'to'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(from, 'program');
    await writeFile(other, 'theirs', { mode: 0o600 });
    await symlink(other, to);
    await symlink(other, `${to}.new`);
    await placeProgram(from, to);
    expect(await readFile(to, 'utf8')).toBe('program');
    expect((await lstat(to)).mode & 0o777).toBe(0o755);
    expect(await readFile(other, 'utf8')).toBe('theirs');
    expect((await lstat(other)).mode & 0o777).toBe(0o600);
    expect((await readdir(dir)).sort()).toEqual(['from', 'other', 'to']);
  } finally {
    await rm(dir, { recursive: true });
  }
});
