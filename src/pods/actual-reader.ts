/**
 * Reads what a runtime holds of a pod. What cannot change any more (an ended container, a sandbox's addresses) is
 * asked for once; the lists are asked for every time, because they are the truth.
 */
import {
  type Container,
  type ContainerStatus,
  type PodSandbox,
  type PodSandboxStatus,
  type Runtime,
  RuntimeError,
} from '../../runtime/runtime.ts';
import type { ActualPod } from './actual.ts';
import { podUidLabel } from './identity.ts';

export class ActualReader {
  readonly #containers = new Map<string, ContainerStatus>();
  readonly #sandboxes = new Map<string, PodSandboxStatus>();

  readonly #ownerLabels: Readonly<Record<string, string>>;

  /** @param ownerLabels only what carries them is looked at */
  constructor(ownerLabels: Readonly<Record<string, string>>) {
    this.#ownerLabels = ownerLabels;
  }

  async read(runtime: Runtime, uid: string, signal?: AbortSignal): Promise<ActualPod> {
    const labels = { ...this.#ownerLabels, [podUidLabel]: uid };
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandbox({ labels }, signal),
      runtime.listContainers({ labels }, signal),
    ]);
    const [sandboxStatuses, containerStatuses] = await Promise.all([
      Promise.all(sandboxes.map((s) => this.#sandboxStatus(runtime, s, signal))),
      Promise.all(containers.map((c) => this.#containerStatus(runtime, c, signal))),
    ]);
    return {
      uid,
      sandboxes: present(sandboxStatuses).sort(
        (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs,
      ),
      containers: present(containerStatuses).sort(
        (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs,
      ),
    };
  }

  /** Forgets the cached statuses of a pod that is gone. */
  forget(pod: ActualPod): void {
    for (const { id } of pod.containers) this.#containers.delete(id);
    for (const { id } of pod.sandboxes) this.#sandboxes.delete(id);
  }

  async #containerStatus(
    runtime: Runtime,
    listed: Container,
    signal?: AbortSignal,
  ): Promise<ContainerStatus | undefined> {
    const cached = this.#containers.get(listed.id);
    if (cached !== undefined && cached.state === listed.state && listed.state !== 'CONTAINER_UNKNOWN') {
      return cached;
    }
    const status = await unlessGone(runtime.containerStatus(listed.id, signal));
    if (status === undefined) this.#containers.delete(listed.id);
    else this.#containers.set(listed.id, status);
    return status;
  }

  async #sandboxStatus(
    runtime: Runtime,
    listed: PodSandbox,
    signal?: AbortSignal,
  ): Promise<PodSandboxStatus | undefined> {
    const cached = this.#sandboxes.get(listed.id);
    if (cached !== undefined) return { ...cached, state: listed.state };
    const status = await unlessGone(runtime.podSandboxStatus(listed.id, signal));
    if (status !== undefined && status.state === 'SANDBOX_READY') this.#sandboxes.set(listed.id, status);
    return status;
  }
}

const present = <T>(items: (T | undefined)[]): T[] => items.filter((i) => i !== undefined);

/** A thing that was removed between the list and the question is simply not there. */
async function unlessGone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NotFound') return undefined;
    throw error;
  }
}
