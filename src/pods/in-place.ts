/**
 * A changed static pod has another uid, because that comes from its content; the kubelet therefore starts it anew as
 * a whole. Where only containers or metadata changed the running pod can take the change over: only the containers
 * that changed are started again. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod } from '../api/core.gen.ts';
import { configHashAnnotation, configSeenAnnotation } from '../sources/source.ts';
import { withResourcesOf } from './resize.ts';

export interface InPlaceChange {
  /** Names of the containers that must be started again. Added, removed and resized ones are not among them. */
  changed: string[];
}

/** Undefined when the pod must be started anew as a whole. */
export function inPlaceChange(
  before: Pod,
  after: Pod,
  qosClass: (pod: Pod) => string,
): InPlaceChange | undefined {
  // Other cpu and memory are a resize, for which there is a way of its own.
  const wanted = withResourcesOf(after, before);
  if (!isDeepStrictEqual(rest(before), rest(wanted))) return undefined;
  // The QoS class is where the pod's cgroup is: it cannot change while something runs in it.
  if (qosClass(before) !== qosClass(after)) return undefined;
  const old = new Map(before.spec?.containers.map((c) => [c.name, c]));
  const changed = (wanted.spec?.containers ?? []).filter((c) => {
    const was = old.get(c.name);
    return was !== undefined && !isDeepStrictEqual(normal(was), normal(c));
  });
  return { changed: changed.map((c) => c.name) };
}

/** The changed pod as the continuation of the one that runs: its uid and its age. */
export function continuing(pod: Pod, running: Pod): Pod {
  const { uid, creationTimestamp } = running.metadata ?? {};
  return { ...pod, metadata: { ...pod.metadata, uid, creationTimestamp } };
}

/** What cannot change in place: all of the spec but containers and what is only read when it is needed. */
function rest(pod: Pod): unknown {
  const {
    containers: _containers,
    activeDeadlineSeconds: _deadline,
    terminationGracePeriodSeconds: _grace,
    tolerations: _tolerations,
    ...spec
  } = pod.spec ?? { containers: [] };
  return { spec: normal(spec), name: pod.metadata?.name, namespace: pod.metadata?.namespace };
}

/** Without the difference between a field that is unset and one that is not there. */
const normal = (value: Omit<NonNullable<Pod['spec']>, 'containers'> | Container): unknown =>
  JSON.parse(JSON.stringify(value));

/** Whether two versions of a pod say the same but for when and under which hash they were read. */
export function sameContent(a: Pod, b: Pod): boolean {
  return isDeepStrictEqual(content(a), content(b));
}

function content(pod: Pod): unknown {
  const {
    [configHashAnnotation]: _hash,
    [configSeenAnnotation]: _seen,
    ...annotations
  } = pod.metadata?.annotations ?? {};
  return JSON.parse(
    JSON.stringify({
      ...pod,
      status: undefined,
      metadata: {
        ...pod.metadata,
        uid: undefined,
        creationTimestamp: undefined,
        resourceVersion: undefined,
        annotations,
      },
    }),
  );
}
