/** `/run`: runs a command in a container and answers with what it wrote, without any stream. */
import type { AgentView } from './agent-view.ts';
import { badRequest } from './errors.ts';
import { type Exchange, sendText } from './http.ts';
import { findPod } from './pod-lookup.ts';
import { runningContainer } from './running-container.ts';

const timeoutMs = 120_000;

/** @throws ApiError when it cannot be run */
export async function runCommand({ res, query, params, signal }: Exchange, agent: AgentView): Promise<void> {
  const { namespace = '', pod: name = '', uid, container } = params;
  const command = (query.get('cmd') ?? '').split(' ').filter(Boolean);
  if (command.length === 0) throw badRequest('parameter cmd: give the command to run');
  const pod = findPod(agent, namespace, name, uid);
  const { runtime, containerId } = await runningContainer(agent, pod, container);
  const { stdout, stderr, exitCode } = await runtime.execSync(containerId, command, timeoutMs, signal);
  const output = Buffer.concat([stdout, stderr]).toString('utf8');
  // No error of ours: the answer tells it, as the kubelet's does.
  if (exitCode === 0) sendText(res, 200, output);
  else sendText(res, 500, `command '${command.join(' ')}' exited with ${exitCode}: ${output}`);
}
