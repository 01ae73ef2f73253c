/** CRI's own event stream. */
import type { RuntimeEvent } from '../runtime.ts';
import * as cri from './gen/runtime.ts';
import * as methods from './methods.ts';
import type { Subscription } from './subscription.ts';

export async function subscribeCri({ connection, owners, signal, push }: Subscription): Promise<void> {
  await connection.stream(methods.getContainerEvents, {}, signal, (event) => {
    const { containerId } = event;
    const podSandboxId = event.podSandboxStatus?.id ?? owners.remembered(containerId) ?? '';
    if (podSandboxId !== '') owners.learn(containerId, podSandboxId);
    push({
      type: types[event.containerEventType],
      podSandboxId,
      containerId: containerId === podSandboxId ? '' : containerId,
    });
  });
}

const types: Readonly<Record<cri.ContainerEventType, RuntimeEvent['type']>> = {
  [cri.ContainerEventType.CONTAINER_CREATED_EVENT]: 'created',
  [cri.ContainerEventType.CONTAINER_STARTED_EVENT]: 'started',
  [cri.ContainerEventType.CONTAINER_STOPPED_EVENT]: 'stopped',
  [cri.ContainerEventType.CONTAINER_DELETED_EVENT]: 'deleted',
};
