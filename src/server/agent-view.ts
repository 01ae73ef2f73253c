/**
 * What the servers may ask of a running agent: the actual state, never the desired one. The agent implements it; the
 * kubelet endpoints, the embedded Kubernetes API and the metrics read nothing else.
 */
import type { ContainerStats, FilesystemUsage, Runtime } from '../../runtime/runtime.ts';
import type { Event, Node, Pod } from '../api/core.gen.ts';
import type { Waiting } from '../pods/actions.ts';
import type { LifecycleState, LifecycleTransition } from '../pods/lifecycle-machine.ts';
import type { PodChange } from '../pods/pod-changes.ts';
import type { TransitionResult } from '../pods/transitions.ts';
import type { WorkingPod } from '../pods/working-pods.ts';
import type { ProbeSummary } from '../probes/manager.ts';
import type { MeasuredCgroup } from '../resources/cgroups.ts';
import type { NodeVolume } from '../volumes/manager.ts';
import type { InterfaceUsage } from './stats/network-usage.ts';
import type { VolumeSpace } from './stats/volume-space.ts';

export interface AgentView {
  readonly nodeName: string;
  /** Every pod the agent knows, with its status; static pods under their suffixed names. */
  pods(): Pod[];
  /** What the runtimes run right now, whether it is desired or not, made up from their labels. */
  runningPods(signal?: AbortSignal): Promise<Pod[]>;
  /** What each pod that is looked after is at. */
  workingPods(): WorkingPod[];
  /** How many pods have one. */
  runningSandboxes(): number;
  /** How many there are in the API server. */
  mirrorPods(): number;
  /** Each volume that pods have, and each that they should have. */
  volumes(): Promise<NodeVolume[]>;
  /** Tells of each change of a pod's spec or status. Returns the function that ends the subscription. */
  onPodChange(listener: (change: PodChange) => void): () => void;
  node(): Node;
  onNodeChange(listener: () => void): () => void;
  readonly events: EventLog;
  refusedManifests(): RefusedManifest[];
  /** The manifest a static pod comes from; undefined for other pods. */
  manifestFile(podUid: string): string | undefined;
  /** Undefined when the container has never been created, or is gone. */
  container(podUid: string, containerName: string): Promise<ContainerHandle | undefined>;
  /** The pod's sandbox; undefined when it has none. */
  sandbox(podUid: string): Promise<SandboxHandle | undefined>;
  /** Absolute path of the newest (`previous`: the one before) instance's log file; undefined when there is none. */
  containerLogPath(podUid: string, containerName: string, previous: boolean): Promise<string | undefined>;
  /** The configuration in force, KubeletConfiguration with every default filled in. */
  configz(): object;
  /** Of all runtimes, found again by the labels of `src/pods/identity.ts`. */
  containerStats(signal?: AbortSignal): Promise<ContainerStats[]>;
  imageFsInfo(signal?: AbortSignal): Promise<FilesystemUsage[]>;
  /** Usage of the pod's own cgroup; undefined when it has none. */
  podUsage(podUid: string): Promise<PodUsage | undefined>;
  /** The pod's own cgroup, then those of its containers, whose ids are in the paths; empty when it has none. */
  podCgroups(podUid: string): Promise<MeasuredCgroup[]>;
  /** Of all pods together. */
  podsCgroup(): Promise<MeasuredCgroup>;
  /** That the agent is in, as a service manager gives it one; undefined when that is the root. */
  agentCgroup(): Promise<MeasuredCgroup | undefined>;
  /** Of the pod's own network namespace; undefined when it has none. */
  podNetwork(podUid: string): Promise<InterfaceUsage[] | undefined>;
  /** Directories of the pod's volumes whose usage counts (emptyDir, configMap, …). */
  podVolumes(podUid: string): PodVolume[];
  /** The room on the file system of such a directory. @throws Error when it does not answer */
  volumeSpace: VolumeSpace;
  /** What each probe that runs has found and how long it took. */
  probes(): ProbeSummary[];
  /** Of every pod that was looked at since the agent started. */
  lifecycles(): PodLifecycleView[];
  /** Resolves when the pod is in the state that was asked for, or will not get there. */
  changeLifecycle(pod: Pod, transition: LifecycleTransition, signal: AbortSignal): Promise<TransitionResult>;
  /** The oldest of the last listings of the runtimes (epoch); 0: one was never listed. */
  lastRelistMs(): number;
  readonly cgroupVersion: 1 | 2;
  /** Every check, `error` set on those that fail. */
  health(): HealthCheck[];
}

export interface PodLifecycleView {
  namespace: string;
  name: string;
  uid: string;
  state: LifecycleState;
  /** What the pod waits for before its containers start. */
  waitsFor: readonly string[];
  /** Of its managed node, while it is on the ROS graph. */
  rosNode?: string;
  /** Why it does not get further. */
  problem?: Waiting;
}

/** core/v1 Events as the recorder keeps them: bounded, repeated ones aggregated under one name. */
export interface EventLog {
  list(): Event[];
  /** Called with each new or repeated event. Returns the function that ends the subscription. */
  watch(listener: (event: Event) => void): () => void;
}

export interface RefusedManifest {
  file: string;
  /** 1-based; undefined when the whole file is meant. */
  line?: number;
  /** Path of the field, `spec.containers[0].image`. */
  field?: string;
  message: string;
}

export interface SandboxHandle {
  runtime: Runtime;
  podSandboxId: string;
}

export interface ContainerHandle extends SandboxHandle {
  containerId: string;
}

export interface PodVolume {
  name: string;
  path: string;
  isEphemeral: boolean;
  /** The name of the claim behind it. */
  claim?: string;
}

export interface PodUsage {
  timestampMs: number;
  cpuUsageCoreNanoSeconds?: bigint;
  memoryUsageBytes?: number;
  memoryWorkingSetBytes?: number;
  memoryRssBytes?: number;
  processCount?: number;
}

export interface HealthCheck {
  /** As in the kubelet's `/healthz/<name>`: `ping`, `log`, `syncloop`, … */
  name: string;
  error?: string;
}
