/**
 * What a worker does about what it has just read of the runtime: it starts and ends probing, tells of containers that
 * ended without anybody knowing how, and reads the last words of those that ended.
 */
import type { ContainerStatus } from '../../runtime/runtime.ts';
import { type ActualPod, currentSandbox, hasRun, isLost, isRunning, latestInstance } from './actual.ts';
import { allContainers } from './containers.ts';
import type { PodEffects } from './effects.ts';
import type { Failures } from './failures.ts';
import type { PodRecord } from './pod-record.ts';
import { toldEnd } from './told-ends.ts';

export interface ObservationContext {
  record: Readonly<PodRecord>;
  actual: ActualPod;
  effects: Pick<PodEffects, 'probe' | 'reportLost' | 'terminationMessage'>;
  failures: Pick<Failures, 'delete'>;
  /** By container id; kept as long as the runtime has the container. */
  terminationMessages: Map<string, string>;
}

export async function observe(context: ObservationContext, signal: AbortSignal): Promise<void> {
  watchRunning(context);
  tellLost(context);
  await readLastWords(context, signal);
}

function watchRunning({ record, actual, effects, failures }: ObservationContext): void {
  const running = new Set<ContainerStatus>();
  for (const { name } of allContainers(record.pod)) {
    const newest = latestInstance(actual, name);
    if (newest === undefined || !isRunning(newest)) continue;
    running.add(newest);
    // Also when it was not this life of the agent that started it.
    failures.delete(name);
  }
  if (currentSandbox(actual) !== undefined) failures.delete('');
  const stopping = record.stop !== undefined || (record.goal ?? 'active') !== 'active';
  effects.probe({ pod: record.pod, actual, running, previous: record.status, stopping });
}

function tellLost({ record, actual, effects }: ObservationContext): void {
  for (const { name } of allContainers(record.pod)) {
    const ran = actual.containers.find((c) => c.metadata.name === name && hasRun(c));
    if (ran === undefined || !isLost(ran)) continue;
    if (toldEnd(record.status, ran.id) === undefined) effects.reportLost(record.pod, ran);
  }
}

async function readLastWords(
  { actual, effects, terminationMessages: known }: ObservationContext,
  signal: AbortSignal,
): Promise<void> {
  const there = new Set(actual.containers.map((c) => c.id));
  for (const id of known.keys()) if (!there.has(id)) known.delete(id);
  for (const instance of actual.containers) {
    if (instance.state !== 'CONTAINER_EXITED' || known.has(instance.id)) continue;
    known.set(instance.id, await effects.terminationMessage(instance, signal));
  }
}
