/**
 * containerd's own event service. It tells of a change before containerd's CRI part has noted it, so an event is held
 * back until CRI shows what it says: a reader that looks at once must not see the old state. CRI is not asked again and
 * again for what is known to take a while: a sandbox that is being made is shown when it is ready, and a call of our own
 * that brings the change about ends with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeEvent } from '../runtime.ts';
import { hasCode } from './errors.ts';
import type { Exits } from './exits.ts';
import * as events from './gen/containerd-events.ts';
import * as cri from './gen/runtime.ts';
import * as methods from './methods.ts';
import type { Subscription } from './subscription.ts';

/** The namespace in containerd is that of everything that CRI makes. */
const filtersOf = (topics: readonly string[]): string[] =>
  topics.map((topic) => `namespace==k8s.io,topic=="${topic}"`);

const ends = ['/tasks/exit', '/tasks/oom'];
const allTopics = [...ends, '/tasks/start', '/containers/create', '/containers/delete'];

export async function subscribeContainerd(subscription: Subscription): Promise<void> {
  const { connection, owners, exits, ownCalls, signal, push } = subscription;
  const tell = async (type: RuntimeEvent['type'], id: string) => {
    const isNew = owners.remembered(id) === undefined;
    const isShown =
      type === 'deleted' ||
      type === 'created' ||
      (type === 'started' && isNew) ||
      (await ownCalls.hasBrought(id));
    const podSandboxId = isShown ? (owners.remembered(id) ?? '') : await untilShown(subscription, type, id);
    push({ type, podSandboxId, containerId: id === podSandboxId ? '' : id });
  };
  await connection.stream(methods.subscribe, { filters: filtersOf(allTopics) }, signal, (envelope) => {
    const event = containerdEvent(envelope);
    noteEnd(exits, event);
    // When CRI cannot be asked what changed, the reader has to look at everything.
    if (event)
      tell(event.type, event.id).catch(() => push({ type: 'resync', podSandboxId: '', containerId: '' }));
  });
}

/** Only notes how containers end, for where CRI's events tell of all changes: of an end they do when it is shown. */
export const noteEnds = ({ connection, exits, signal }: Subscription): Promise<void> =>
  connection.stream(methods.subscribe, { filters: filtersOf(ends) }, signal, (envelope) =>
    noteEnd(exits, containerdEvent(envelope)),
  );

function noteEnd(exits: Exits, event: ContainerdEvent | undefined): void {
  if (event?.type === 'stopped') exits.note(event.id, event.exitCode);
  else if (event?.type === 'oom') exits.noteOom(event.id);
}

export type ContainerdEvent =
  | { type: Exclude<RuntimeEvent['type'], 'stopped'>; id: string }
  | { type: 'stopped'; id: string; exitCode: number };

export function containerdEvent(envelope: events.Envelope): ContainerdEvent | undefined {
  const value = envelope.event?.value ?? Buffer.alloc(0);
  switch (envelope.topic) {
    case '/containers/create':
      return { type: 'created', id: events.ContainerCreate.decode(value).id };
    case '/tasks/start':
      return { type: 'started', id: events.TaskStart.decode(value).containerId };
    case '/tasks/oom':
      return { type: 'oom', id: events.TaskOOM.decode(value).containerId };
    case '/containers/delete':
      return { type: 'deleted', id: events.ContainerDelete.decode(value).id };
    case '/tasks/exit': {
      const exit = events.TaskExit.decode(value);
      // Commands that were run in the container exit under an id of their own.
      return exit.id === exit.containerId
        ? { type: 'stopped', id: exit.id, exitCode: exit.exitStatus }
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Waits until CRI shows the change, a second at most, and returns the sandbox. */
async function untilShown(
  { connection, owners, signal }: Subscription,
  type: RuntimeEvent['type'],
  id: string,
): Promise<string> {
  const options = { timeoutMs: 10_000, signal };
  const shown = async () => {
    const podSandboxId = await owners.sandboxOf(id, signal);
    if (podSandboxId === '') return false;
    if (podSandboxId === id) {
      const request = { podSandboxId: id, verbose: false };
      const { status } = await connection.call(methods.podSandboxStatus, request, options);
      return type !== 'stopped' || status?.state === cri.PodSandboxState.SANDBOX_NOTREADY;
    }
    const request = { containerId: id, verbose: false };
    const { status } = await connection.call(methods.containerStatus, request, options);
    return shows(type, status?.state);
  };
  for (let waitMs = 2; waitMs < 1000; waitMs *= 2) {
    try {
      if (await shown()) break;
    } catch (error) {
      if (hasCode(error, 'NotFound')) break;
      throw error;
    }
    await sleep(waitMs, undefined, { signal });
  }
  return owners.remembered(id) ?? '';
}

function shows(type: RuntimeEvent['type'], state: cri.ContainerState | undefined): boolean {
  if (type === 'stopped') return state === cri.ContainerState.CONTAINER_EXITED;
  if (type === 'started') return state !== cri.ContainerState.CONTAINER_CREATED;
  return true;
}
