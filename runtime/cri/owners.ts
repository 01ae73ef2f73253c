/**
 * Which sandbox a container belongs to. CRI says so in lists, but neither in a container's status nor in containerd's
 * own events. The answer never changes, so it is remembered. A sandbox belongs to itself.
 */
import type { Connection } from './connection.ts';
import { encodeContainerFilter, encodeSandboxFilter } from './encode.ts';
import * as methods from './methods.ts';

export interface Owners {
  /** The sandbox of this container or sandbox; asks the runtime when it must. '' when the runtime does not know it. */
  sandboxOf(id: string, signal?: AbortSignal): Promise<string>;
  /** The same from memory. */
  remembered(id: string): string | undefined;
  learn(id: string, podSandboxId: string): void;
}

/** Far more than a node has; the oldest is forgotten first, and asked for again when needed. */
const maxRemembered = 4096;

export function containerOwners(connection: Connection, timeoutMs: number): Owners {
  const owners = new Map<string, string>();

  const learn = (id: string, podSandboxId: string) => {
    owners.set(id, podSandboxId);
    if (owners.size <= maxRemembered) return;
    for (const oldest of owners.keys()) {
      owners.delete(oldest);
      break;
    }
  };

  const ask = async (id: string, signal?: AbortSignal) => {
    const options = { timeoutMs, signal };
    const { containers } = await connection.call(
      methods.listContainers,
      { filter: encodeContainerFilter({ id }) },
      options,
    );
    const container = containers.find((candidate) => candidate.id === id);
    if (container) return container.podSandboxId;
    const { items } = await connection.call(
      methods.listPodSandbox,
      { filter: encodeSandboxFilter({ id }) },
      options,
    );
    return items.some((sandbox) => sandbox.id === id) ? id : '';
  };

  return {
    async sandboxOf(id, signal) {
      const known = owners.get(id) ?? (await ask(id, signal));
      if (known !== '') learn(id, known);
      return known;
    },
    remembered: (id) => owners.get(id),
    learn,
  };
}
