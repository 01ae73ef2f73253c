/** The files by which conmon and roslet-oci say how a container started and ended. */
import type { ProcessRef } from './processes.ts';

export type StartOutcome =
  | { kind: 'started'; startedAtMs: number; process: ProcessRef; warnings: string[] }
  | { kind: 'failed'; exitCode: number; message: string };

export function parseStart(text: string): StartOutcome | undefined {
  const lines = text.split('\n');
  const started = /^started (\d+) (\d+) (\d+)$/.exec(lines[0] ?? '');
  if (started?.[1] && started[2] && started[3]) {
    return {
      kind: 'started',
      startedAtMs: Number(started[1]),
      process: { pid: Number(started[2]), startTime: started[3] },
      warnings: lines.flatMap((line) => /^warning (.*)$/.exec(line)?.[1] ?? []),
    };
  }
  const failed = /^error (\d+) ([\s\S]*)$/.exec(text.trimEnd());
  if (failed?.[1] && failed[2]) return { kind: 'failed', exitCode: Number(failed[1]), message: failed[2] };
  return undefined;
}

/** conmon writes -1 when it could not learn the status. */
export function parseExit(text: string): number | undefined {
  if (!/^-?\d+\s*$/.test(text)) return undefined;
  const code = Number(text);
  return code < 0 ? 255 : code;
}

/** How a container ended: kept in `final.json`, after which its cgroup is gone. */
export interface FinalState {
  exitCode: number;
  reason: string;
  message: string;
  startedAtMs: number;
  finishedAtMs: number;
}

export const exitReason = (exitCode: number, oomKilled: boolean): string =>
  exitCode === 0 ? 'Completed' : oomKilled ? 'OOMKilled' : 'Error';

/** From memory.events (v2) or memory.oom_control (v1). */
export const countOomKills = (text: string | undefined): number =>
  Number(/^oom_kill (\d+)$/m.exec(text ?? '')?.[1] ?? 0);
