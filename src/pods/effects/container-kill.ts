/** Ends a container: its preStop hook and its stop, all within the grace of the kill. */
import type { ContainerExit, Runtime } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { containerReference } from '../../events/reference.ts';
import type { EventRecorder } from '../../events.ts';
import type { Logger } from '../../log.ts';
import type { ActualPod } from '../actual.ts';
import { findContainer } from '../containers.ts';
import { runHook } from '../hooks.ts';
import { podKey } from '../identity.ts';
import type { Kill } from '../kills.ts';
import type { ContainerContext } from '../runtime-config/container-config.ts';
import type { Turns } from '../turns.ts';
import { execIn, podIps } from './reach.ts';

export interface ContainerKillDeps {
  runtime: Runtime;
  turns: Turns;
  events: EventRecorder;
  containers: Pick<ContainerContext, 'node'>;
  log: Logger;
}

export interface KillRequest {
  pod: Pod;
  actual: ActualPod;
  kill: Kill;
  /** It was being stopped already: the hook is not run a second time. */
  again: boolean;
  /** The runtime has told of the end, and still takes the container down. */
  onExit(exit: ContainerExit): void;
}

/** Resolves when the container is down. */
export async function killContainer(
  deps: ContainerKillDeps,
  request: KillRequest,
  signal: AbortSignal,
): Promise<void> {
  const { pod, kill, again, onExit } = request;
  const deadlineMs = performance.now() + kill.graceMs;
  if (!again) {
    deps.events.event(containerReference(pod, kill), 'Normal', 'Killing', kill.message);
    if (kill.graceMs > 0) await preStop(deps, request, signal);
  }
  const stop = () => {
    // When its turn has come: the wait is part of the grace.
    const graceMs = Math.max(deadlineMs - performance.now(), minimumGraceMs);
    return deps.runtime.stopContainer(kill.containerId, Math.ceil(graceMs / 1000), signal, onExit);
  };
  await deps.turns('killContainer', pod, stop, signal);
}

/** A hook that fails or takes too long holds nothing up. */
async function preStop(
  { runtime, events, containers, log }: ContainerKillDeps,
  { pod, actual, kill }: KillRequest,
  signal: AbortSignal,
): Promise<void> {
  const container = findContainer(pod, kill.name);
  const handler = container?.lifecycle?.preStop;
  if (container === undefined || handler === undefined) return;
  const [podIp = ''] = podIps(pod, actual, containers.node().hostIps);
  const exec = execIn(runtime, kill.containerId);
  const timeoutMs = Math.ceil(kill.graceMs);
  try {
    await runHook({ handler, pod, container, podIp, exec, timeoutMs, signal });
  } catch (err) {
    if (signal.aborted) throw err;
    // What a hook says may be secret, and events are read by many.
    log.warn({ err, pod: podKey(pod), container: container.name }, 'preStop hook failed');
    events.event(containerReference(pod, container), 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
  }
}

/** What every container gets to end by itself, also when the hook or what ended before it used up the grace, as in the kubelet. */
const minimumGraceMs = 2000;
