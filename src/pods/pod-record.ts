/**
 * What the worker of a pod must not forget. It is saved before the first effect: a worker made from the record of an
 * earlier life of the agent goes on where that one was killed.
 */
import type { Pod, PodStatus } from '../api/core.gen.ts';
import type { Action } from './actions.ts';
import type { ActualPod } from './actual.ts';
import { findContainer } from './containers.ts';
import { type AnyContainer, isSidecar } from './identity.ts';
import type { LifecycleLevel } from './lifecycle.ts';
import type { NotedResources, PodResize } from './resize.ts';
import { restartPolicy } from './restart.ts';
import type { RuntimeKind } from './runtimes.ts';

/** What survives the agent. Kept in the store under the pod's uid. */
export interface PodRecord extends NotedResources {
  pod: Pod;
  /** Epoch at which this node first saw the pod. */
  firstSeenMs: number;
  /** Why the pod ended, once nothing of it will run again. */
  verdict?: Verdict;
  /** Set from the moment on which the pod is being taken down: the grace it got, and its end (epoch). */
  stop?: { graceMs: number; deadlineMs: number };
  /** Everything is down and the node's resources are given back; only records and logs remain. */
  ended: boolean;
  /** The pod is no longer desired: nothing of it may remain. */
  removing: boolean;
  /** How often a container was changed in place; part of its hash, so that a higher one starts it anew. */
  revisions?: Record<string, number>;
  /** Ids of instances that were killed to be started again, whatever the restart policy says of how they ended. */
  replaced?: string[];
  /** Ids of instances whose preStop hook was begun: it runs once, also when the agent is killed in it. */
  hooked?: string[];
  /** A resize that is not done. */
  resize?: PodResize;
  /** How far the pod is to be brought up; undefined: active. */
  goal?: LifecycleLevel;
  /** How far it has come; undefined: not at all. */
  reached?: LifecycleLevel;
  /** Which runtime has the pod. */
  runtime: RuntimeKind;
  status?: PodStatus;
}

export interface Verdict {
  phase?: 'Failed' | 'Succeeded';
  reason?: string;
  message?: string;
  /** The node ended it for others' sake: why, for those who count what a pod did itself (KEP-3329). */
  disruption?: string;
}

/** Makes sure that the containers of these names are started anew. */
export function noteRevisions(record: PodRecord, names: readonly string[]): void {
  for (const name of names) {
    record.revisions = { ...record.revisions, [name]: (record.revisions?.[name] ?? 0) + 1 };
  }
}

/** Of a kill that was noted. */
export interface NotedKill {
  /** The kill of this instance was begun before, maybe by an earlier life of the agent. */
  again: boolean;
  /** A later life of the agent that did not know of it would do something wrong: the kill waits until it is on disk. */
  isVital: boolean;
}

/** Notes what must be known of a kill later, before it is begun; ids of instances that are gone are let go. */
export function noteKill(
  record: PodRecord,
  actual: ActualPod,
  { containerId, name, reason }: Extract<Action, { do: 'killContainer' }>,
): NotedKill {
  if (record.hooked?.includes(containerId)) return { again: true, isVital: false };
  const there = new Set(actual.containers.map(({ id }) => id));
  const kept = (ids: readonly string[] = []) => ids.filter((id) => there.has(id));
  record.hooked = [...kept(record.hooked), containerId];
  const container = findContainer(record.pod, name);
  const restarts = container !== undefined && restartPolicy(record.pod, container) !== 'Never';
  const isOurs = reason === 'changed' || reason === 'deactivated';
  const isReplaced = isOurs || (reason !== 'pod' && restarts);
  if (isReplaced) record.replaced = [...kept(record.replaced), containerId];
  const hasHook = container?.lifecycle?.preStop !== undefined;
  return { again: false, isVital: hasHook || (isReplaced && !restartsAnyway(record.pod, container)) };
}

/** However it ends. */
function restartsAnyway(pod: Pod, container: AnyContainer | undefined): boolean {
  if (container === undefined || container.restartPolicyRules !== undefined) return false;
  const isInit = pod.spec?.initContainers?.includes(container) === true && !isSidecar(container);
  return !isInit && restartPolicy(pod, container) === 'Always';
}
