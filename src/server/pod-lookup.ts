/** Finds the pod and container that a request means, or says which there are. */
import type { ContainerStatus, Pod } from '../api/core.gen.ts';
import { podName, podNamespace, podUid } from '../pods/identity.ts';
import type { AgentView } from './agent-view.ts';
import { badRequest, notFound } from './errors.ts';

const defaultContainerAnnotation = 'kubectl.kubernetes.io/default-container';

/** @param uid when given, another pod of the same name is not meant. @throws ApiError NotFound */
export function findPod(agent: AgentView, namespace: string, name: string, uid?: string): Pod {
  const pod = agent.pods().find((each) => podName(each) === name && podNamespace(each) === namespace);
  if (!pod || (uid !== undefined && podUid(pod) !== uid)) throw notFound('pods', name);
  return pod;
}

function containerNames(pod: Pod): string[] {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...containers, ...initContainers, ...ephemeralContainers].map((each) => each.name);
}

/** @throws ApiError BadRequest */
export function checkContainer(pod: Pod, container: string): void {
  const names = containerNames(pod);
  if (names.includes(container)) return;
  throw badRequest(
    `container ${container} is not valid for pod ${podName(pod)}: choose one of ${names.join(', ')}`,
  );
}

/** The container that is meant when none is named. @throws ApiError BadRequest when that is not clear */
export function defaultContainer(pod: Pod): string {
  const annotated = pod.metadata?.annotations?.[defaultContainerAnnotation];
  const names = (pod.spec?.containers ?? []).map((each) => each.name);
  if (annotated !== undefined && containerNames(pod).includes(annotated)) return annotated;
  if (names.length === 1) return names[0]!;
  throw badRequest(
    `a container name must be specified for pod ${podName(pod)}, choose one of: ${containerNames(pod).join(', ')}`,
  );
}

export function containerStatusOf(pod: Pod, container: string): ContainerStatus | undefined {
  const {
    containerStatuses = [],
    initContainerStatuses = [],
    ephemeralContainerStatuses = [],
  } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (each) => each.name === container,
  );
}
