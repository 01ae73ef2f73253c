/**
 * What a directory takes of its file system, hard links counted once, other file systems left out. By du: a large tree
 * would keep the agent's event loop busy, and one deeper than a path can be long could not be walked by paths at all.
 */
import { lstat } from 'node:fs/promises';
import { runProgram } from './program.ts';
import { hasCode } from './safe-fs.ts';

/** Bytes of the blocks of all that is there. 0 when the directory is not there. */
export const blockUsage = (dir: string, signal: AbortSignal): Promise<number> =>
  total(dir, '--block-size=1', signal);

/** Number of files and directories, the directory itself counted. 0 when it is not there. */
export const inodeUsage = (dir: string, signal: AbortSignal): Promise<number> =>
  total(dir, '--inodes', signal);

async function total(dir: string, unit: string, signal: AbortSignal): Promise<number> {
  if (!(await exists(dir))) return 0;
  const options = ['--one-file-system', '--summarize', unit];
  const { stdout, failure } = await runProgram('/usr/bin/du', [...options, '--', dir], signal);
  const count = Number.parseInt(stdout, 10);
  // Files that vanish while du looks make it fail, though it counted the rest.
  if (!Number.isNaN(count)) return count;
  if (!(await exists(dir))) return 0;
  throw new Error(`cannot tell what ${dir} takes: ${failure}`);
}

async function exists(dir: string): Promise<boolean> {
  try {
    await lstat(dir);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
