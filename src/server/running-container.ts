/** The container that a command is to run in, or why it cannot. */
import type { Pod } from '../api/core.gen.ts';
import { podName, podUid } from '../pods/identity.ts';
import type { AgentView, ContainerHandle } from './agent-view.ts';
import { badRequest } from './errors.ts';
import { checkContainer, containerStatusOf, defaultContainer } from './pod-lookup.ts';

/** @param named undefined or empty: the pod's default container. @throws ApiError */
export async function runningContainer(
  agent: AgentView,
  pod: Pod,
  named: string | undefined,
): Promise<ContainerHandle> {
  const name = named || defaultContainer(pod);
  checkContainer(pod, name);
  const container = await agent.container(podUid(pod), name);
  const state = container && (await container.runtime.containerStatus(container.containerId)).state;
  if (container && state === 'CONTAINER_RUNNING') return container;
  const { waiting, terminated } = containerStatusOf(pod, name)?.state ?? {};
  const reason = waiting?.reason ?? terminated?.reason ?? pod.status?.reason ?? 'not started';
  throw badRequest(`container ${name} of pod ${podName(pod)} does not run: ${reason}`);
}
