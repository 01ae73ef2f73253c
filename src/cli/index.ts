/**
 * The command line. `run` becomes the agent and gets its arguments unread, since its flags are the kubelet's; every
 * other command is a client of an agent's socket. Each loads only what it needs, so that a listing starts fast.
 */
import { constants } from 'node:os';
import type { DoctorAccess } from './doctor.ts';
import type { RosAccess } from './ros.ts';
import { runArguments } from './run-arguments.ts';

export interface Commands {
  /** Runs the agent until the signal aborts; returns the exit code. */
  run(argv: string[], signal: AbortSignal): Promise<number>;
  ros: RosAccess;
  doctor(): Promise<DoctorAccess>;
}

/** `argv` without the program's own name. Returns the exit code. */
export async function cliMain(argv: string[], commands: Commands): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const forRun = runArguments(argv);
    if (forRun) return await commands.run(forRun, stop.signal);
    process.stdout.on('error', endWithReader);
    const { runProgram } = await import('./program.ts');
    return await runProgram(argv, commands, stop.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** Where the reader has gone (`roslet logs … | head`) the command ends in silence, as SIGPIPE ends other programs. */
function endWithReader(err: NodeJS.ErrnoException): void {
  if (err.code !== 'EPIPE') throw err;
  process.exit(128 + constants.signals.SIGPIPE);
}
