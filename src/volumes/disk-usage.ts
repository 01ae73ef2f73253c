/** What a directory takes of its file system. */
import { lstat } from 'node:fs/promises';
import { runProgram } from './program.ts';
import { hasCode } from './safe-fs.ts';

/**
 * Bytes of the blocks of all that is in the directory, hard links counted once, other file systems left out. By du:
 * a large tree would keep the agent's event loop busy. 0 when the directory is not there.
 */
export async function diskUsage(dir: string, signal: AbortSignal): Promise<number> {
  try {
    await lstat(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
  const options = ['--one-file-system', '--summarize', '--block-size=1'];
  const { stdout, failure } = await runProgram('/usr/bin/du', [...options, '--', dir], signal);
  const bytes = Number.parseInt(stdout, 10);
  // Files that vanish while du looks make it fail, though it counted the rest.
  if (Number.isNaN(bytes)) throw new Error(`cannot tell what ${dir} takes: ${failure}`);
  return bytes;
}
