/** Probes by a command in the container: exit code 0 is success, what it prints tells why it failed. */
import { type ExecSyncResult, RuntimeError } from '../../runtime/runtime.ts';
import type { ExecAction } from '../api/core.gen.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { expand } from '../pods/runtime-config/expansion.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';

/** Runs a command in the container that is meant. Rejects as `Runtime.execSync` does. */
export type ExecInContainer = (
  command: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<ExecSyncResult>;

export async function probeExec(
  action: ExecAction,
  { container, exec }: { container: AnyContainer; exec: ExecInContainer },
  { timeoutMs, signal }: AttemptOptions,
): Promise<ProbeOutcome> {
  try {
    const { exitCode, ...output } = await exec(expandedCommand(action, container), timeoutMs, signal);
    return { result: exitCode === 0 ? 'success' : 'failure', output: combinedOutput(output) };
  } catch (error) {
    if (!(error instanceof RuntimeError && error.code === 'DeadlineExceeded')) throw error;
    const command = JSON.stringify((action.command ?? []).join(' '));
    const output = `command timed out: ${command} timed out after ${timeoutMs / 1000}s`;
    return { result: 'failure', output, timedOut: true };
  }
}

/** Standard output and error as one text of at most 10 KiB. */
export function combinedOutput({ stdout, stderr }: Pick<ExecSyncResult, 'stdout' | 'stderr'>): string {
  return Buffer.concat([stdout, stderr]).toString('utf8', 0, maxOutputBytes);
}

const maxOutputBytes = 10 * 1024;

/** As the kubelet: only variables written in the spec as they are, not those from config maps, secrets or fields. */
function expandedCommand(action: ExecAction, container: AnyContainer): string[] {
  const values = new Map(container.env?.map(({ name, value }) => [name, value ?? '']));
  return (action.command ?? []).map((word) => expand(word, (name) => values.get(name)));
}
