/** Hands events to all who listen. A listener that does not keep up is told to list anew instead. */
import type { RuntimeEvent } from '../runtime.ts';

export interface EventHub {
  emit(event: RuntimeEvent): void;
  listen(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}

const maxQueued = 1024;
const resync: RuntimeEvent = { type: 'resync', podSandboxId: '', containerId: '' };

export function eventHub(): EventHub {
  const listeners = new Set<(event: RuntimeEvent) => void>();
  return {
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    async *listen(signal) {
      let queue: RuntimeEvent[] = [];
      let wake: () => void = () => undefined;
      const listener = (event: RuntimeEvent): void => {
        if (queue.length < maxQueued) queue.push(event);
        else queue = [resync];
        wake();
      };
      const onAbort = (): void => wake();
      listeners.add(listener);
      signal.addEventListener('abort', onAbort);
      try {
        while (!signal.aborted) {
          const batch = queue;
          queue = [];
          yield* batch;
          if (queue.length === 0 && !signal.aborted) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        listeners.delete(listener);
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
