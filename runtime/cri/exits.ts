/**
 * How containers ended, as containerd's events told it. containerd deletes the task of a container that has ended before it
 * notes the exit code, which takes a moment: killed in between, it knows afterwards only that there was an end (255,
 * `Unknown`), and a job that was done reads as failed.
 */
import type { ContainerStatus } from '../runtime.ts';

export interface Exits {
  note(containerId: string, exitCode: number): void;
  /** The status, with the exit code where only the event told it. */
  fill(status: ContainerStatus): ContainerStatus;
}

/** Far more than end while containerd is away; the oldest is forgotten first. */
const maxRemembered = 1024;
/** What containerd's CRI part says of an end that it does not know. */
const lost = { exitCode: 255, reason: 'Unknown' };

export function knownExits(): Exits {
  const exitCodes = new Map<string, number>();
  return {
    note(containerId, exitCode) {
      exitCodes.set(containerId, exitCode);
      if (exitCodes.size <= maxRemembered) return;
      for (const oldest of exitCodes.keys()) {
        exitCodes.delete(oldest);
        break;
      }
    },
    fill(status) {
      const exitCode = exitCodes.get(status.id);
      const isLost =
        status.state === 'CONTAINER_EXITED' &&
        status.exitCode === lost.exitCode &&
        status.reason === lost.reason;
      if (!isLost || exitCode === undefined) return status;
      return { ...status, exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' };
    },
  };
}
