/**
 * How containers ended, as containerd's events told it. That memory ran out containerd notes only when it has told the end,
 * and until then an end reads as any other: a reader that was fast must not keep that. And it deletes the task of a container
 * that has ended before it notes the exit code, which takes a moment: killed in between, it knows afterwards only that there
 * was an end (255, `Unknown`), and a job that was done reads as failed.
 */
import type { ContainerExit, ContainerStatus } from '../runtime.ts';

export interface Exits {
  note(containerId: string, exitCode: number): void;
  /** Calls back when the end is noted. Returns the function that ends the waiting. */
  onExit(containerId: string, listener: (exit: ContainerExit) => void): () => void;
  /** The kernel has killed a process of it for want of memory. */
  noteOom(containerId: string): void;
  /** The status, with the exit code and the reason where only the events told them. */
  fill(status: ContainerStatus): ContainerStatus;
}

/** Far more than end while containerd is away; the oldest is forgotten first. */
const maxRemembered = 1024;
/** What containerd's CRI part says of an end that it does not know. */
const lost = { exitCode: 255, reason: 'Unknown' };

interface Known {
  exitCode?: number;
  hadOom?: boolean;
}

export function knownExits(): Exits {
  const knownOf = new Map<string, Known>();
  /** By container id; a stop that replaces another waits for the same end. */
  const waiting = new Map<string, Set<(exit: ContainerExit) => void>>();
  function remember(containerId: string, more: Known): void {
    knownOf.set(containerId, { ...knownOf.get(containerId), ...more });
    if (knownOf.size <= maxRemembered) return;
    for (const oldest of knownOf.keys()) {
      knownOf.delete(oldest);
      break;
    }
  }
  return {
    note(containerId, exitCode) {
      remember(containerId, { exitCode });
      const exit = { exitCode, finishedAtMs: Date.now() };
      for (const listener of waiting.get(containerId) ?? []) listener(exit);
    },
    onExit(containerId, listener) {
      const listeners = waiting.get(containerId) ?? new Set();
      waiting.set(containerId, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && waiting.get(containerId) === listeners) waiting.delete(containerId);
      };
    },
    noteOom: (containerId) => remember(containerId, { hadOom: true }),
    fill(status) {
      if (status.state !== 'CONTAINER_EXITED') return status;
      const known = knownOf.get(status.id);
      const isLost = status.exitCode === lost.exitCode && status.reason === lost.reason;
      const exitCode = isLost ? known?.exitCode : status.exitCode;
      if (exitCode === undefined) return status;
      // As containerd has it: once memory ran out, that is the reason whatever the exit code.
      if (known?.hadOom) return { ...status, exitCode, reason: 'OOMKilled' };
      return isLost ? { ...status, exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } : status;
    },
  };
}
