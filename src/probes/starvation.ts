/**
 * Whether processes that did not answer wanted to but got no processor: their threads are runnable and hardly run. What
 * sleeps, is stopped or is gone has nobody to blame, and what loops has the processor; both are told apart from it by
 * two looks at the scheduler's own account (`/proc/PID/task/TID/schedstat`: nanoseconds run and waited).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ThreadTimes {
  isRunnable: boolean;
  ranMs: number;
  waitedMs: number;
}

/** By thread id. */
export type Threads = ReadonlyMap<string, ThreadTimes>;

/** How long the second look comes after the first. */
const windowMs = 40;

/** Undefined at once when no thread of the processes wants to run; takes a moment otherwise. */
export async function findStarvation(
  pids: readonly number[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const before = readThreads(pids);
  if (![...before.values()].some((thread) => thread.isRunnable)) return undefined;
  const startedMs = performance.now();
  await delay(windowMs, undefined, { signal }).catch(() => undefined);
  return starvation(before, readThreads(pids), performance.now() - startedMs);
}

/** What two looks at the same threads tell, `elapsedMs` apart. */
export function starvation(before: Threads, after: Threads, elapsedMs: number): string | undefined {
  let waiting = 0;
  let ranMs = 0;
  let waitedMs = 0;
  for (const [id, now] of after) {
    const then = before.get(id);
    if (then === undefined || !then.isRunnable || !now.isRunnable) continue;
    // One that has a processor of its own half the time is busy with something, not starved.
    if (now.ranMs - then.ranMs >= elapsedMs / 2) return undefined;
    waiting += 1;
    ranMs += now.ranMs - then.ranMs;
    waitedMs += now.waitedMs - then.waitedMs;
  }
  if (waiting === 0) return undefined;
  const share = Math.round((ranMs / elapsedMs / waiting) * 100);
  const threads = `${waiting} of its threads wanted to run and ran ${share} % of the time`;
  // A thread that waits for its group's quota is runnable, but stands in no queue.
  return waitedMs >= ranMs && waitedMs > elapsedMs / 4
    ? `the node has too little CPU: ${threads}`
    : `its CPU limit holds it back: ${threads}`;
}

function readThreads(pids: readonly number[]): Threads {
  const threads = new Map<string, ThreadTimes>();
  for (const pid of pids) {
    for (const tid of listThreads(pid)) {
      const times = readThread(`/proc/${pid}/task/${tid}`);
      if (times !== undefined) threads.set(tid, times);
      if (threads.size >= mostThreads) return threads;
    }
  }
  return threads;
}

/** A look must not take long itself. */
const mostThreads = 1000;

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has ended.
    return [];
  }
}

function readThread(dir: string): ThreadTimes | undefined {
  try {
    const stat = readFileSync(`${dir}/stat`, 'utf8');
    const [ranNs, waitedNs] = readFileSync(`${dir}/schedstat`, 'utf8').split(' ');
    return {
      isRunnable: stat.charAt(stat.lastIndexOf(')') + 2) === 'R',
      ranMs: Number(ranNs) / 1e6,
      waitedMs: Number(waitedNs) / 1e6,
    };
  } catch {
    // It has ended, or the kernel keeps no such account: then there is no excuse.
    return undefined;
  }
}
