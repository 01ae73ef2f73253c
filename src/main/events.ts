/** Events as the agent tells them. In a cluster the API server remembers them, without one the agent's own disk. */
import type { AgentConfig } from '../config/agent-config.ts';
import { EventMemory } from '../events/event-memory.ts';
import { createEventLog, type EventLog } from '../events/recorder.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';

export async function openEvents(
  { cluster, nodeName }: AgentConfig,
  store: Store,
  log: Logger,
): Promise<{ events: EventLog; flush(): Promise<void> }> {
  const clocks = { nowMs: Date.now, monotonicMs: () => performance.now() };
  const memory = cluster === undefined ? new EventMemory({ store, ...clocks, log }) : undefined;
  const events = createEventLog({
    remembered: (await memory?.load()) ?? [],
    // By this name tools look for the events of a node.
    component: cluster === undefined ? 'roslet' : 'kubelet',
    nodeName,
    ...clocks,
  });
  if (memory !== undefined) events.watch((event) => memory.note(event));
  return { events, flush: async () => memory?.flush() };
}
