/**
 * Reads what a runtime holds of one pod, for its worker: what is remembered goes with that. What cannot change any more
 * (an ended container, a sandbox's addresses) is asked for once; the lists are asked for every time, because they are the
 * truth.
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
  readonly #uid: string;
  readonly #labels: Readonly<Record<string, string>>;
  /** Only what was there at the last read is remembered. */
  #known: Known = { sandboxes: new Map(), containers: new Map() };

  /** @param ownerLabels only what carries them is looked at */
  constructor(uid: string, ownerLabels: Readonly<Record<string, string>>) {
    this.#uid = uid;
    this.#labels = { ...ownerLabels, [podUidLabel]: uid };
  }

  async read(runtime: Runtime, signal?: AbortSignal): Promise<ActualPod> {
    const labels = this.#labels;
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandbox({ labels }, signal),
      runtime.listContainers({ labels }, signal),
    ]);
    const known = this.#known;
    const [sandboxStatuses, containerStatuses] = await Promise.all([
      Promise.all(sandboxes.map((s) => sandboxStatus(runtime, s, known, signal))),
      Promise.all(containers.map((c) => containerStatus(runtime, c, known, signal))),
    ]);
    this.#known = {
      sandboxes: new Map(present(sandboxStatuses).map((s) => [s.id, s])),
      containers: new Map(present(containerStatuses).map((c) => [c.id, c])),
    };
    return {
      uid: this.#uid,
      sandboxes: present(sandboxStatuses).sort(
        (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs,
      ),
      containers: present(containerStatuses).sort(
        (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs,
      ),
    };
  }
}

interface Known {
  sandboxes: ReadonlyMap<string, PodSandboxStatus>;
  containers: ReadonlyMap<string, ContainerStatus>;
}

async function containerStatus(
  runtime: Runtime,
  listed: Container,
  known: Known,
  signal?: AbortSignal,
): Promise<ContainerStatus | undefined> {
  const before = known.containers.get(listed.id);
  if (before !== undefined && before.state === listed.state && listed.state !== 'CONTAINER_UNKNOWN')
    return before;
  return unlessGone(runtime.containerStatus(listed.id, signal));
}

async function sandboxStatus(
  runtime: Runtime,
  listed: PodSandbox,
  known: Known,
  signal?: AbortSignal,
): Promise<PodSandboxStatus | undefined> {
  const before = known.sandboxes.get(listed.id);
  // The addresses of a sandbox that is ready do not change.
  if (before !== undefined && before.ips.length > 0) return { ...before, state: listed.state };
  return unlessGone(runtime.podSandboxStatus(listed.id, signal));
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
