/** What is done only when nothing waits for the agent any more. */
import { flushCompileCache } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';

/** When all that a start has to do is done on a busy machine, too. */
const calmAfterMs = 3000;

export async function afterStart(signal: AbortSignal): Promise<void> {
  await delay(calmAfterMs, undefined, { signal, ref: false }).catch(() => undefined);
  if (signal.aborted) return;
  // By itself it is written at an orderly end alone. Nothing happens where it was read, or cannot be written.
  flushCompileCache();
  // Not from the beginning: what Node has compiled of itself is for the flags that it was built with, and would be
  // compiled anew. After the flush, as that too is of use only under the same flags.
  setFlagsFromString('--optimize-for-size');
}
