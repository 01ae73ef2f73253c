/** What the bridge needs of the agent: actual state to show, and the requests that others make over ROS. */
import type { Event, Node, Pod } from '../src/api/core.gen.ts';
import type { LifecycleState, LifecycleTransition } from '../src/pods/lifecycle-machine.ts';

export interface BridgedPod {
  /** With its status. */
  pod: Pod;
  /** Undefined: refused, or not looked at yet. */
  lifecycle?: PodState;
  /** The name of what runs it. */
  runtime: string;
  usage: PodUsage;
  probes: PodProbe[];
  /** The runtime has not answered for a while: what is shown may not be so any more. */
  isStale: boolean;
}

export interface PodState {
  state: LifecycleState;
  /** It ended with an error, and nobody had asked for its end. */
  hasFailed: boolean;
  /** Nothing of it is to run, because somebody wants it so. */
  isHeldBack: boolean;
  waitsFor: readonly string[];
  /** Why it does not get further. */
  problem?: { reason: string; message: string };
}

export interface PodUsage {
  cpuCores?: number;
  memoryBytes?: number;
}

export interface PodProbe {
  container: string;
  kind: 'startup' | 'liveness' | 'readiness';
  /** For people. */
  description: string;
  result: 'success' | 'failure' | 'unknown';
  /** The last answer and how many like it came in a row; undefined before the first. */
  last?: { isGood: boolean; inARow: number };
  /** Epoch; of a heartbeat when the last beat came. */
  lastSuccessMs?: number;
  lastFailureMs?: number;
  /** What the last failure said; '' when there was none. */
  lastFailureMessage: string;
  /** Of all answers so far; of a heartbeat the times between beats. */
  p50Ms?: number;
  p99Ms?: number;
}

export interface Answer {
  success: boolean;
  /** Why not. */
  message: string;
}

export interface AppliedObject {
  kind: string;
  namespace: string;
  name: string;
  result: 'created' | 'changed' | 'unchanged' | 'refused';
  message: string;
}

export interface LogAnswer extends Answer {
  lines: { stampMs: number; text: string }[];
  isTruncated: boolean;
}

export interface BridgeAgent {
  readonly nodeName: string;
  readonly version: string;
  readonly isClusterNode: boolean;
  readonly startedAtMs: number;
  node(): Node;
  onNodeChange(listener: () => void): () => void;
  /** All that are known, refused ones included. */
  pods(): BridgedPod[];
  pod(uid: string): BridgedPod | undefined;
  /** Called after every change of a pod, its lifecycle included, and when it is gone. */
  onPodChange(listener: (uid: string) => void): () => void;
  /** Measures what pods use, for the next `pods()`. */
  measure(): Promise<void>;
  /** CPUs of the machine in use since it was asked last; undefined when it was not asked before. */
  measureMachine(): Promise<number | undefined>;
  /** Oldest first. */
  events(): Event[];
  onEvent(listener: (event: Event) => void): () => void;
  /** Tells people of something about a pod that is not as they want it. */
  warn(pod: Pod, reason: string, message: string): void;
  /** Resolves when the pod is there, or will not get there. */
  changeLifecycle(pod: Pod, transition: LifecycleTransition): Promise<Answer>;
  apply(manifest: string, isDryRun: boolean): Promise<Answer & { objects: AppliedObject[] }>;
  /** `graceSeconds` undefined: the pod's own. */
  remove(namespace: string, name: string, graceSeconds: number | undefined): Promise<Answer>;
  selectPods(labelSelector: string): Answer & { pods: BridgedPod[] };
  logs(query: {
    namespace: string;
    name: string;
    container: string;
    tailLines: number;
    previous: boolean;
  }): Promise<LogAnswer>;
  /** Container empty: all. */
  restart(namespace: string, name: string, container: string): Answer;
  /** The configuration in force, for parameters. */
  configuration(): object;
  /** Called with each line of the agent's log. */
  onLog(listener: (line: LogLine) => void): () => void;
  /** Called with each line that a container of a pod writes from now on whose annotation wants it on /rosout. */
  onPodLog(listener: (line: PodLogLine) => void): () => void;
}

export interface PodLogLine {
  uid: string;
  container: string;
  stream: 'stdout' | 'stderr';
  /** Epoch. */
  stampMs: number;
  text: string;
}

export interface LogLine {
  timeMs: number;
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  message: string;
}
