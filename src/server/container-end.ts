/** When a container's present instance ends, and when a pod changes, as waits that a signal can end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeError } from '../../runtime/runtime.ts';
import { podUid } from '../pods/identity.ts';
import type { AgentView } from './agent-view.ts';

/** Changes come as events; the runtime is asked now and then in case one was missed. */
const checkIntervalMs = 2000;

export interface PodChangeWait {
  promise: Promise<void>;
  cancel(): void;
}

/** Resolves with the next change of the pod, after a while in any case, or when the signal aborts. */
export function podChanged(agent: AgentView, uid: string, signal: AbortSignal): PodChangeWait {
  const stop = new AbortController();
  const unsubscribe = agent.onPodChange(({ pod }) => {
    if (podUid(pod) === uid) stop.abort();
  });
  const promise = sleep(checkIntervalMs, undefined, { signal: AbortSignal.any([signal, stop.signal]) })
    // The abort is the change waited for.
    .catch(() => undefined)
    .finally(unsubscribe);
  return { promise, cancel: () => stop.abort() };
}

/**
 * Resolves when the instance that is the newest now does not run (any more), or the signal aborts. With `previous`
 * that is at once: the instance before has ended.
 */
export async function instanceEnd(
  agent: AgentView,
  uid: string,
  container: string,
  previous: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (previous) return;
  const instance = await agent.container(uid, container);
  while (instance && !signal.aborted) {
    const changed = podChanged(agent, uid, signal);
    try {
      const { state } = await instance.runtime.containerStatus(instance.containerId, signal);
      if (state === 'CONTAINER_EXITED') {
        changed.cancel();
        return;
      }
    } catch (err) {
      if (signal.aborted || (err instanceof RuntimeError && err.code === 'NotFound')) {
        changed.cancel();
        return;
      }
      // A runtime that does not answer says nothing about the container: it is asked again.
      if (!(err instanceof RuntimeError)) throw err;
    }
    await changed.promise;
  }
}
