/** Runs a program of the system to its end, by its path and without a shell. */
import { spawn } from 'node:child_process';

export interface ProgramResult {
  /** What a caller can tell a user: what the program said, or how it ended. Empty when it succeeded. */
  failure: string;
  stdout: string;
}

/** @param inheritedFd the program's descriptor 3. */
export async function runProgram(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  inheritedFd?: number,
): Promise<ProgramResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramResult>();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(inheritedFd === undefined ? [] : [inheritedFd])],
    env: { LC_ALL: 'C' },
    signal,
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.once('error', reject);
  child.once('close', (code, killedBy) => {
    const failure = code === 0 ? '' : stderr.trim() || `${program} ended with ${killedBy ?? code}`;
    resolve({ failure, stdout });
  });
  return promise;
}
