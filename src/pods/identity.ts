/** Names and labels by which a pod and its containers are found again in a runtime, as the kubelet's. */
import type { Container, EphemeralContainer, Pod, PodStatus } from '../api/core.gen.ts';
import type { ObjectReference } from '../events.ts';

export const podNameLabel = 'io.kubernetes.pod.name';
export const podNamespaceLabel = 'io.kubernetes.pod.namespace';
export const podUidLabel = 'io.kubernetes.pod.uid';
export const containerNameLabel = 'io.kubernetes.container.name';

/** Hash of the container's spec: another hash means that the container must be started anew. */
export const containerHashAnnotation = 'io.kubernetes.container.hash';
export const restartCountAnnotation = 'io.kubernetes.container.restartCount';
/** Path of the termination message inside the container. */
export const terminationMessagePathAnnotation = 'io.kubernetes.container.terminationMessagePath';
export const terminationMessagePolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy';
/** Host path of the file mounted there. Ours: the kubelet finds it by the mount. */
export const terminationMessageHostPathAnnotation = 'roslet.dev/termination-message-host-path';
export const podGracePeriodAnnotation = 'io.kubernetes.pod.terminationGracePeriod';

export const podUid = (pod: Pod): string => pod.metadata?.uid ?? '';
export const podNamespace = (pod: Pod): string => pod.metadata?.namespace ?? 'default';
export const podName = (pod: Pod): string => pod.metadata?.name ?? '';
/** `namespace/name`, for logs and messages. */
export const podKey = (pod: Pod): string => `${podNamespace(pod)}/${podName(pod)}`;

/** A container of any kind; ephemeral containers have the same fields but for `targetContainerName`. */
export type AnyContainer = Container & Pick<EphemeralContainer, 'targetContainerName'>;

/** An init container that keeps running beside the others (KEP-753). */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const hostProcessRuntimeClass = 'host-process';

/** A pod as events refer to it. */
export const podReference = (pod: Pod): ObjectReference => ({
  kind: 'Pod',
  namespace: podNamespace(pod),
  name: podName(pod),
  uid: podUid(pod),
});

export const withStatus = (pod: Pod, status: PodStatus | undefined): Pod => {
  const { status: _, ...rest } = pod;
  return status === undefined ? rest : { ...rest, status };
};
