/**
 * The container runtime port. Its shapes and semantics are those of the Kubernetes Container Runtime Interface
 * (CRI, runtime.v1), with names as in CRI and times in nanoseconds turned into milliseconds since the epoch. Each
 * implementation passes `runtime/contract.test.ts` against the real thing.
 *
 * Rules that every implementation keeps:
 * - Every call is idempotent where CRI's is: stopping or removing what is stopped or gone succeeds.
 * - `list*` and `*Status` are the truth; `events` is only a hint to look sooner. Nothing may need an event.
 * - Containers are never children of the agent: they, their logs and their exit codes survive its death.
 * - Labels and annotations given at creation come back unchanged from list and status, also after a restart.
 */
import type { Readable, Writable } from 'node:stream';

export interface Runtime {
  /** Scheme of container ids in a PodStatus (`containerd://…`, `process://…`). Set after `version` for CRI. */
  readonly name: string;
  version(signal?: AbortSignal): Promise<RuntimeVersion>;
  status(signal?: AbortSignal): Promise<RuntimeStatus>;

  /** Creates and starts the sandbox (namespaces, network, cgroup parent). Returns its id. */
  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string, signal?: AbortSignal): Promise<string>;
  /** Ends every process of the sandbox and gives back its network. Its containers stay listed as exited. */
  stopPodSandbox(podSandboxId: string, signal?: AbortSignal): Promise<void>;
  /** Removes the sandbox and all its containers, killing what still runs. */
  removePodSandbox(podSandboxId: string, signal?: AbortSignal): Promise<void>;
  podSandboxStatus(podSandboxId: string, signal?: AbortSignal): Promise<PodSandboxStatus>;
  listPodSandbox(filter?: SandboxFilter, signal?: AbortSignal): Promise<PodSandbox[]>;

  createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
    signal?: AbortSignal,
  ): Promise<string>;
  startContainer(containerId: string, signal?: AbortSignal): Promise<void>;
  /**
   * Sends the stop signal, waits up to `timeoutSeconds`, then kills. 0 kills at once. Returns when it has exited.
   * @param onExit called when the runtime tells before that that nothing of the container runs any more. Until the call
   * returns its state does not say so, and the end of its log may be missing.
   */
  stopContainer(
    containerId: string,
    timeoutSeconds: number,
    signal?: AbortSignal,
    onExit?: (exit: ContainerExit) => void,
  ): Promise<void>;
  removeContainer(containerId: string, signal?: AbortSignal): Promise<void>;
  listContainers(filter?: ContainerFilter, signal?: AbortSignal): Promise<Container[]>;
  containerStatus(containerId: string, signal?: AbortSignal): Promise<ContainerStatus>;
  updateContainerResources(
    containerId: string,
    resources: LinuxContainerResources,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Makes the runtime open the log file anew after it was renamed (rotation). */
  reopenContainerLog(containerId: string, signal?: AbortSignal): Promise<void>;
  /**
   * Writes the state of the running container into a new archive; the container goes on.
   * @param timeoutMs 0: the runtime's own limit
   * @throws RuntimeError `Unimplemented` where the runtime cannot
   */
  checkpointContainer(
    containerId: string,
    location: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void>;

  /**
   * Runs a command to its end. Output is bounded by the implementation (16 MiB a stream).
   * @throws RuntimeError `DeadlineExceeded` when it did not end within `timeoutMs` (0: no limit); it is then killed.
   */
  execSync(
    containerId: string,
    command: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ExecSyncResult>;
  /** Streams a command's input and output until it exits. */
  exec(containerId: string, options: ExecOptions, signal?: AbortSignal): Promise<ExecSession>;
  /** Streams to and from the container's main process. */
  attach(containerId: string, options: AttachOptions, signal?: AbortSignal): Promise<ExecSession>;
  /** One connection to a TCP port inside the pod's network namespace. */
  portForward(podSandboxId: string, port: number, signal?: AbortSignal): Promise<PortForwardSession>;

  containerStats(containerId: string, signal?: AbortSignal): Promise<ContainerStats>;
  listContainerStats(filter?: ContainerFilter, signal?: AbortSignal): Promise<ContainerStats[]>;

  /**
   * What changed, as a hint. Ends when the signal aborts. When the runtime cannot give events the iterator waits for
   * the abort and yields nothing; when the stream breaks it reconnects by itself with jittered back off, and yields
   * a `resync` so that the reader lists anew.
   */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;

  /** Null for a runtime without images (host processes). */
  readonly images: ImageService | null;
}

export interface ImageService {
  listImages(signal?: AbortSignal): Promise<Image[]>;
  /** Undefined when the image is not there. */
  imageStatus(image: string, signal?: AbortSignal): Promise<Image | undefined>;
  /** Returns the image reference to create containers with. */
  pullImage(
    image: string,
    auth: ImageAuth | undefined,
    sandboxConfig: PodSandboxConfig | undefined,
    signal?: AbortSignal,
  ): Promise<string>;
  removeImage(image: string, signal?: AbortSignal): Promise<void>;
  imageFsInfo(signal?: AbortSignal): Promise<FilesystemUsage[]>;
}

/** gRPC's names of the codes that matter to a caller. `Unavailable`: the runtime does not answer at all. */
export type RuntimeErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'InvalidArgument'
  | 'FailedPrecondition'
  | 'DeadlineExceeded'
  | 'Unavailable'
  | 'Unimplemented'
  | 'ResourceExhausted'
  | 'Cancelled'
  | 'Unknown';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface RuntimeVersion {
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

export interface RuntimeCondition {
  /** `RuntimeReady` or `NetworkReady`. */
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface RuntimeStatus {
  conditions: RuntimeCondition[];
  /** Handlers that `runPodSandbox` accepts; always holds '' (the default). */
  runtimeHandlers: RuntimeHandler[];
  /** Whether it gives a container no other groups than those that it is told, where `supplementalGroupsPolicy` is Strict. */
  supplementalGroupsPolicy: boolean;
  /** How it makes cgroups, when it tells (CRI RuntimeConfig); undefined too where it takes them as they are. */
  cgroupDriver?: 'cgroupfs' | 'systemd';
}

export interface RuntimeHandler {
  name: string;
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}

export interface PodSandboxMetadata {
  name: string;
  namespace: string;
  uid: string;
  attempt: number;
}

/** CRI NamespaceMode. `TARGET` joins the pid namespace of `targetId`. */
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface NamespaceOption {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  targetId?: string;
}

export interface PortMapping {
  protocol: 'TCP' | 'UDP' | 'SCTP';
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface DnsConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface PodSandboxConfig {
  metadata: PodSandboxMetadata;
  /** Empty for a pod on the host network. */
  hostname: string;
  /** Directory of the pod's container logs; created by the caller. */
  logDirectory: string;
  dnsConfig?: DnsConfig;
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Absolute cgroup path, relative to each hierarchy's root, e.g. `/kubepods/burstable/pod<uid>`. */
  cgroupParent: string;
  sysctls: Record<string, string>;
  securityContext: SandboxSecurityContext;
  /** Sum of the pod's containers, for runtimes that size the sandbox. */
  resources?: LinuxContainerResources;
  overhead?: LinuxContainerResources;
}

export interface SandboxSecurityContext {
  namespaceOptions: NamespaceOption;
  runAsUser?: number;
  runAsGroup?: number;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  privileged: boolean;
  seccomp: SecurityProfile;
  apparmor?: SecurityProfile;
  selinuxOptions?: SelinuxOptions;
}

export interface SecurityProfile {
  type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  /** Seccomp: absolute path of the JSON profile. AppArmor: name of the loaded profile. */
  localhostRef?: string;
}

export interface SelinuxOptions {
  user?: string;
  role?: string;
  type?: string;
  level?: string;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  recursiveReadOnly: boolean;
  selinuxRelabel: boolean;
  propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
  /** An image to mount instead of `hostPath` (image volumes). */
  image?: string;
  imageSubPath?: string;
}

export interface Device {
  containerPath: string;
  hostPath: string;
  /** Any of r, w, m. */
  permissions: string;
}

export interface LinuxContainerResources {
  cpuPeriodUs?: number;
  cpuQuotaUs?: number;
  cpuShares?: number;
  memoryLimitBytes?: number;
  memorySwapLimitBytes?: number;
  oomScoreAdj?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  hugepageLimits?: { pageSize: string; limitBytes: number }[];
  /** cgroup v2 files to set, e.g. `memory.min`. */
  unified?: Record<string, string>;
}

export interface ContainerSecurityContext {
  privileged: boolean;
  capabilities: { add: string[]; drop: string[] };
  namespaceOptions: NamespaceOption;
  runAsUser?: number;
  runAsGroup?: number;
  /** Used when `runAsUser` is unset and the image gives a name. */
  runAsUsername?: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp: SecurityProfile;
  apparmor?: SecurityProfile;
  selinuxOptions?: SelinuxOptions;
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  /** Image reference as returned by `pullImage`; empty for a runtime without images. */
  image: string;
  /** Image as the user wrote it. */
  userSpecifiedImage: string;
  runtimeHandler: string;
  /** Overrides the image's entrypoint when not empty. */
  command: string[];
  args: string[];
  workingDir: string;
  envs: { key: string; value: string }[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Log file, relative to the sandbox's `logDirectory`. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  resources: LinuxContainerResources;
  securityContext: ContainerSecurityContext;
  /** Only what a runtime declares to honour; others refuse with InvalidArgument when it is not empty. */
  rlimits: { type: string; soft: number; hard: number }[];
  /** Signal name (`SIGINT`) instead of the image's or SIGTERM. */
  stopSignal?: string;
}

export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';

export interface PodSandbox {
  id: string;
  metadata: PodSandboxMetadata;
  state: PodSandboxState;
  createdAtMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}

export interface PodSandboxStatus extends PodSandbox {
  /** Primary first; empty on the host network. */
  ips: string[];
  namespaceOptions: NamespaceOption;
}

export type ContainerStateName =
  | 'CONTAINER_CREATED'
  | 'CONTAINER_RUNNING'
  | 'CONTAINER_EXITED'
  | 'CONTAINER_UNKNOWN';

export interface Container {
  id: string;
  podSandboxId: string;
  metadata: { name: string; attempt: number };
  image: string;
  imageRef: string;
  state: ContainerStateName;
  createdAtMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ContainerExit {
  exitCode: number;
  finishedAtMs: number;
}

export interface ContainerStatus extends Container {
  /** 0: not started. */
  startedAtMs: number;
  /** 0: not finished. */
  finishedAtMs: number;
  exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, … as the runtime tells, else ''. */
  reason: string;
  message: string;
  /** Absolute path of the log file. */
  logPath: string;
  imageId: string;
  mounts: Mount[];
  resources?: LinuxContainerResources;
  user?: { uid: number; gid: number; supplementalGroups: number[] };
  stopSignal?: string;
}

export interface SandboxFilter {
  id?: string;
  state?: PodSandboxState;
  labels?: Record<string, string>;
}

export interface ContainerFilter {
  id?: string;
  state?: ContainerStateName;
  podSandboxId?: string;
  labels?: Record<string, string>;
}

export interface ExecSyncResult {
  stdout: Buffer;
  stderr: Buffer;
  exitCode: number;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface ExecOptions {
  command: readonly string[];
  tty: boolean;
  /** The stream's end is passed on to the process. Undefined: no input. */
  stdin?: Readable;
  stdout?: Writable;
  /** Ignored with a tty. */
  stderr?: Writable;
  initialSize?: TerminalSize;
}

export interface AttachOptions {
  tty: boolean;
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  initialSize?: TerminalSize;
}

export interface ExecSession {
  resize(size: TerminalSize): void;
  /** Settles when the process has exited (attach: when the stream ended, with 0) and all output was written. */
  readonly exitCode: Promise<number>;
}

export interface PortForwardSession {
  readonly stream: import('node:stream').Duplex;
}

export interface RuntimeEvent {
  type: 'created' | 'started' | 'stopped' | 'deleted' | 'oom' | 'resync';
  /** Empty with `resync`. */
  podSandboxId: string;
  /** Empty when the sandbox itself is meant. */
  containerId: string;
}

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  sizeBytes: number;
  uid?: number;
  username?: string;
  pinned: boolean;
}

export interface ImageAuth {
  username?: string;
  password?: string;
  auth?: string;
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}

export interface FilesystemUsage {
  timestampMs: number;
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

export interface ContainerStats {
  id: string;
  metadata: { name: string; attempt: number };
  labels: Record<string, string>;
  timestampMs: number;
  cpuUsageCoreNanoSeconds?: bigint;
  cpuUsageNanoCores?: bigint;
  memoryWorkingSetBytes?: number;
  memoryUsageBytes?: number;
  memoryRssBytes?: number;
  memoryAvailableBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
  /** Writable layer. */
  rootfsUsedBytes?: number;
  rootfsInodesUsed?: number;
}
