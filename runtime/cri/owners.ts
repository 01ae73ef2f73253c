/**
 * Which sandbox a container belongs to. CRI says so in lists, not in a container's status nor in containerd's events;
 * the answer never changes, so it is remembered.
 */
import type { Container } from '../runtime.ts';
import type { Connection } from './connection.ts';
import * as methods from './methods.ts';

export interface Owners {
  /** The sandbox of a container, asked from the runtime when not known; '' when the runtime does not know it. */
  sandboxOf(containerId: string, signal?: AbortSignal): Promise<string>;
  learn(containerId: string, podSandboxId: string): void;
  /** A complete list: what is not in it is gone. */
  learnAll(containers: readonly Container[]): void;
  forget(containerId: string): void;
}

export function containerOwners(connection: Connection, requestTimeoutMs: number): Owners {
  let owners = new Map<string, string>();
  return {
    async sandboxOf(containerId, signal) {
      const known = owners.get(containerId);
      if (known !== undefined) return known;
      const filter = { id: containerId, state: undefined, podSandboxId: '', labelSelector: {} };
      const options = { timeoutMs: requestTimeoutMs, signal };
      const { containers } = await connection.call(methods.listContainers, { filter }, options);
      const found = containers.find((container) => container.id === containerId)?.podSandboxId;
      if (found !== undefined) owners.set(containerId, found);
      return found ?? '';
    },
    learn: (containerId, podSandboxId) => owners.set(containerId, podSandboxId),
    learnAll: (containers) => {
      owners = new Map(containers.map((container) => [container.id, container.podSandboxId]));
    },
    forget: (containerId) => owners.delete(containerId),
  };
}
