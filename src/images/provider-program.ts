/** Runs the program of a credential provider. */
import { execFile } from 'node:child_process';
import type { Logger } from '../log.ts';

export interface ProviderProgram {
  name: string;
  /** Absolute path. */
  program: string;
  args: readonly string[];
  /** Over the environment of the agent. */
  env: Readonly<Record<string, string>>;
}

/** As long as the kubelet waits: a program may try again when a service does not answer. */
const mostMs = 60_000;
const mostBytes = 1024 * 1024;
/** Of what a program complains, in the log. */
const mostShown = 500;

/**
 * Returns what the program writes. Its error output goes to the log when it fails: why it failed becomes an event, and what
 * such a program says may be secret.
 */
export function runProvider(
  { name, program, args, env }: ProviderProgram,
  request: string,
  log: Logger,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { signal, timeout: mostMs, killSignal: 'SIGKILL', maxBuffer: mostBytes } as const;
    const child = execFile(
      program,
      args,
      { ...limits, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const why = whyItFailed(error);
        const said = stderr.trim().slice(-mostShown);
        if (said !== '') log.warn({ provider: name, said }, `a credential provider failed: ${why}`);
        reject(new Error(why, { cause: error.code }));
      },
    );
    // A program need not read what it is asked; that it ended is told above.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(request);
  });
}

function whyItFailed(error: Error & { code?: string | number | null; killed?: boolean }): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `it wrote more than ${mostBytes} bytes`;
  if (typeof error.code === 'string') return error.code;
  if (error.killed) return `it did not end within ${mostMs / 1000} s`;
  return typeof error.code === 'number' ? `it ended with ${error.code}` : 'it was killed';
}
