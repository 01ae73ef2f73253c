/** Runs a short helper program of ours that detaches what it starts, and waits for the helper's own end. */
import { spawn } from 'node:child_process';
import { RuntimeError } from '../runtime.ts';

export interface ProgramResult {
  exitCode: number;
  stderr: string;
}

/** In a session of its own: what it starts gets no signal meant for the agent's terminal. */
export function runDetached(path: string, args: readonly string[]): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {},
      cwd: '/',
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (cause) =>
      reject(new RuntimeError('Unavailable', `cannot run ${path}: ${cause.message}`, { cause })),
    );
    child.once('exit', (code, signal) => {
      // Not at 'close': what was started may hold the pipe for long.
      child.stderr.destroy();
      resolve({ exitCode: code ?? 128, stderr: signal ? `killed by ${signal}` : stderr.trim() });
    });
  });
}
