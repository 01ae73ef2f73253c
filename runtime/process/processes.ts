/** Processes, named for good by their pid and their start time: a pid alone may be given to another process. */
import { hasCode, readKernelFile } from './files.ts';

export interface ProcessRef {
  pid: number;
  /** Clock ticks since boot. */
  startTime: string;
}

/** The form in which roslet-oci writes and takes it. */
export const formatProcess = (process: ProcessRef): string => `${process.pid} ${process.startTime}`;

export function parseProcess(text: string | undefined): ProcessRef | undefined {
  const match = /^(\d+) (\d+)\s*$/.exec(text ?? '');
  return match?.[1] && match[2] ? { pid: Number(match[1]), startTime: match[2] } : undefined;
}

/** A zombie counts as ended. */
export function isAlive(process: ProcessRef): boolean {
  const stat = parseStat(readKernelFile(`/proc/${process.pid}/stat`));
  return (
    stat !== undefined && stat.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X'
  );
}

/** The process that has the pid now. */
export function processAt(pid: number): ProcessRef | undefined {
  const stat = parseStat(readKernelFile(`/proc/${pid}/stat`));
  return stat && { pid, startTime: stat.startTime };
}

/** Only to the process that is meant; one that has ended needs none. */
export function sendSignal(target: ProcessRef, number: number): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, number);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

export function isRunningProgram(pid: number, argument: string): boolean {
  return readKernelFile(`/proc/${pid}/cmdline`)?.split('\0').includes(argument) ?? false;
}

export const currentBootId = (): string =>
  readKernelFile('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';

/** The command name in it may hold blanks and brackets: fields are counted from the last bracket. */
export function parseStat(text: string | undefined): { state: string; startTime: string } | undefined {
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return state && startTime ? { state, startTime } : undefined;
}
