/**
 * Runs the postStart and preStop hooks of containers as the kubelet does: a command in the container, an HTTP GET
 * (any answer will do), or a sleep. A tcpSocket hook has never worked and fails.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LifecycleHandler, Pod } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import { combinedOutput, type ExecInContainer } from '../probes/exec.ts';
import { httpGet } from '../probes/http.ts';
import { longestTimerMs } from '../timers.ts';
import { type AnyContainer, podName, podNamespace, podUid } from './identity.ts';

export interface HookOptions {
  handler: LifecycleHandler;
  pod: Pod;
  container: AnyContainer;
  /** Empty when the pod has none. */
  podIp: string;
  exec: ExecInContainer;
  /** 0: no limit. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** A hook failed. The message, with what the hook said, is the one for the container's status. */
export class HookError extends Error {
  override readonly name = 'HookError';
}

/**
 * Resolves when the hook has succeeded.
 * @throws HookError when it failed or did not end in time, the signal's reason when that aborted.
 */
export async function runHook(options: HookOptions): Promise<void> {
  const { handler, pod, container, signal } = options;
  try {
    await runHandler(options);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    const what = `${describe(handler)} for Container "${container.name}" in Pod "${formatPod(pod)}" failed`;
    const error = messageOf(cause);
    throw new HookError(`${what} - error: ${error}`, { cause });
  }
}

async function runHandler({
  handler,
  container,
  podIp,
  exec,
  timeoutMs,
  signal,
}: HookOptions): Promise<void> {
  if (handler.exec) {
    const { exitCode, ...output } = await exec(handler.exec.command ?? [], timeoutMs, signal);
    if (exitCode === 0) return;
    const message = JSON.stringify(combinedOutput(output));
    throw new Error(
      `command '${(handler.exec.command ?? []).join(' ')}' exited with ${exitCode}, message: ${message}`,
    );
  }
  if (handler.httpGet) {
    await httpGet(handler.httpGet, { container, podIp }, 'lifecycle', {
      timeoutMs: timeoutMs || longestTimerMs,
      signal,
    });
    return;
  }
  if (handler.sleep) {
    await sleepFor(handler.sleep.seconds * 1000, timeoutMs, signal);
    return;
  }
  throw new Error('tcpSocket is not supported in hooks; use exec, httpGet or sleep');
}

async function sleepFor(durationMs: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
  if (timeoutMs === 0 || durationMs <= timeoutMs) {
    await sleep(Math.min(durationMs, longestTimerMs), undefined, { signal });
    return;
  }
  await sleep(Math.min(timeoutMs, longestTimerMs), undefined, { signal });
  throw new Error('container terminated before sleep hook finished');
}

function describe({ exec, httpGet: http, sleep: pause }: LifecycleHandler): string {
  if (exec) return `Exec lifecycle hook (${JSON.stringify(exec.command ?? [])})`;
  if (http) return `HTTP lifecycle hook (${http.path ?? ''})`;
  if (pause) return `Sleep lifecycle hook (${pause.seconds})`;
  return 'Lifecycle hook';
}

/** As the kubelet writes pods in messages. */
const formatPod = (pod: Pod): string => `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;
