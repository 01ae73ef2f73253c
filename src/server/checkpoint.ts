/** `/checkpoint`: has the runtime write a container's state into an archive, which is named in the answer. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { time } from '../api/time.ts';
import { messageOf } from '../error-message.ts';
import { podName, podNamespace } from '../pods/identity.ts';
import type { AgentView } from './agent-view.ts';
import { type Exchange, intParam, sendJson, sendText } from './http.ts';
import { findPod } from './pod-lookup.ts';
import { runningContainer } from './running-container.ts';

/** @param rootDir of the agent: archives are kept there, for root alone. @throws ApiError when there is no such container */
export async function checkpointContainer(
  { res, query, params, signal }: Exchange,
  agent: AgentView,
  rootDir: string,
): Promise<void> {
  const { namespace = '', pod: name = '', container = '' } = params;
  const timeoutMs = (intParam(query, 'timeout') ?? 0) * 1000;
  const pod = findPod(agent, namespace, name);
  const { runtime, containerId } = await runningContainer(agent, pod, container);
  const directory = join(rootDir, 'checkpoints');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = `checkpoint-${podName(pod)}_${podNamespace(pod)}-${container}-${time(Date.now())}.tar`;
  const location = join(directory, file);
  try {
    await runtime.checkpointContainer(containerId, location, timeoutMs, signal);
  } catch (err) {
    signal.throwIfAborted();
    const why = messageOf(err);
    sendText(res, 500, `checkpointing of ${namespace}/${name}/${container} failed (${why})`);
    return;
  }
  sendJson(res, 200, { items: [location] });
}
