/** The configuration as the agent uses it: typed, complete, with units in the names. */

import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import { posix } from 'node:path';
import type { Taint } from '../api/core.gen.ts';
import { quantityValue } from '../api/quantity.ts';
import type { ImageCredentialProvider } from '../images/credential-provider.ts';
import type { LogFormat, LogLevel } from '../log.ts';
import type { Reservations } from '../node/capacity.ts';
import { parseThresholds, type Threshold } from '../node/thresholds.ts';
import { defaultRootDir } from '../paths.ts';
import { toAmounts } from '../resources/amounts.ts';
import type { ReservedCgroup } from '../resources/cgroups.ts';
import type { KubeletValues } from './kubelet-fields.ts';
import type {
  discoveryRanges,
  RosletValues,
  rosRequestChoices,
  rosTransportChoices,
  runtimeChoices,
} from './roslet-fields.ts';
import type { TlsVersionName } from './tls-names.ts';

export type RuntimeChoice = (typeof runtimeChoices)[number];

export interface AgentConfig {
  nodeName: string;
  /** Empty: the addresses of the machine are to be found. */
  nodeIps: string[];
  nodeLabels: Record<string, string>;
  rootDir: string;
  /** Where certificates are kept that are issued to us or that we make. */
  certDir: string;
  /** Undefined: below the root directory. */
  podLogsDir?: string;
  log: { format: LogFormat; level: LogLevel };
  /** Of the agent itself; undefined: as it was started. */
  oomScoreAdj?: number;
  /** Group that may use the API socket. */
  socketGroup: string;
  ros: RosConfig;

  staticPodPath?: string;
  fileCheckFrequencyMs: number;
  syncFrequencyMs: number;
  nodeStatusUpdateFrequencyMs: number;
  healthzBindAddress: string;
  /** 0: not served. */
  healthzPort: number;

  /** The kubelet API on the network; undefined: not served. */
  kubeletServer?: KubeletServerConfig;
  /** On the socket and on the network: ends a stream that carries nothing for so long; 0: never. */
  streamIdleMs: number;

  /** Handler of pods without a runtimeClassName. `auto`: cri where a container engine is, else process. */
  runtime: RuntimeChoice;
  containerRuntimeEndpoint: string;
  runtimeRequestTimeoutMs: number;
  /** 0: unlimited. */
  registryPullQps: number;
  registryBurst: number;
  /** 1: one at a time. Undefined: no limit. */
  maxParallelImagePulls?: number;
  imageCredentialProviders: readonly ImageCredentialProvider[];
  /** No image is ever removed. */
  keepAllImages: boolean;
  imageMinimumGcAgeMs: number;
  /** 0: images are never too old. */
  imageMaximumGcAgeMs: number;
  imageGcHighThresholdPercent: number;
  imageGcLowThresholdPercent: number;

  cgroupDriver: 'cgroupfs' | 'systemd';
  /** Absolute. */
  cgroupRoot: string;
  cgroupsPerQos: boolean;
  cpuCfsQuota: boolean;
  cpuCfsQuotaPeriodUs: number;
  /** With podsPerCore taken into account. */
  maxPods: number;
  /** Undefined: no limit. */
  podPidsLimit?: number;
  /** As written. */
  reservations: Reservations;
  enforceNodeAllocatable: readonly string[];
  /** That are held to what is reserved for them. */
  reservedCgroups: readonly ReservedCgroup[];
  seccompDefault: boolean;
  allowedUnsafeSysctls: readonly string[];

  eviction: EvictionConfig;

  /** Negative: logs are not rotated. */
  containerLogMaxSizeBytes: number;
  containerLogMaxFiles: number;
  containerLogMonitorIntervalMs: number;

  maxContainerRestartPeriodMs: number;
  /** Delay before the second restart of a container that crashes; it doubles from there. */
  crashLoopInitialMs: number;

  /** Undefined: the node of no cluster. */
  cluster?: ClusterConfig;

  clusterDns: readonly string[];
  clusterDomain: string;
  /** Empty: pods get no resolver configuration of the host's. */
  resolvConf: string;
}

export interface ClusterConfig {
  /** Path of the kubeconfig. */
  kubeconfig: string;
  /** How to ask for a client certificate where the kubeconfig has none that holds. */
  bootstrapKubeconfig?: string;
  /** Of the client certificate. */
  rotateCertificates: boolean;
  registerNode: boolean;
  /** Of a Node object that we create. */
  taints: readonly Taint[];
  providerId: string;
  /** Another controller tells the node's addresses and makes it usable. */
  externalCloudProvider: boolean;
  leaseDurationSeconds: number;
  /** To the API server, events and the node's signs of life apart. */
  requestsPerSecond: number;
  requestBurst: number;
  /** Of the node's status, when nothing changed. */
  statusReportMs: number;
  /** That the node's status shows; -1: all. */
  mostImages: number;
}

export interface RosConfig {
  /** `auto`: rclnodejs where a ROS 2 is sourced and it can be loaded, else cyclone. */
  transport: (typeof rosTransportChoices)[number];
  /** The directory in whose node_modules rclnodejs is; undefined: beside the agent or on NODE_PATH. */
  rclnodejsPath?: string;
  robotName: string;
  /** What is not configured is as the environment says. */
  domainId?: number;
  discoveryRange?: (typeof discoveryRanges)[number];
  staticPeers?: string[];
  /** `auto`: all where only this machine can ask, else control. */
  requests: (typeof rosRequestChoices)[number];
  /** 0: none. */
  diagnosticsPeriodMs: number;
}

export interface EvictionConfig {
  thresholds: readonly Threshold[];
  pressureTransitionPeriodMs: number;
  maxPodGracePeriodSeconds: number;
}

export interface KubeletServerConfig {
  address: string;
  /** 0: only the read-only port is served. */
  port: number;
  /** Without TLS and credentials; 0: not served. */
  readOnlyPort: number;
  /** Logs, exec and the like. */
  debuggingHandlers: boolean;
  systemLogs: boolean;
  profiling: boolean;
  /** Undefined: a self-signed one, or one that is requested. */
  certificate?: { certFile: string; keyFile: string };
  /** From the cluster, for this node's addresses. */
  requestCertificate: boolean;
  tlsMinVersion: TlsVersionName;
  /** In Go's spelling; empty: those that hold by themselves. */
  tlsCipherSuites: readonly string[];
  /** Undefined: client certificates are not asked for. */
  clientCaFile?: string;
  anonymous: boolean;
  /** Undefined: tokens are not accepted. */
  tokenWebhook?: { cacheTtlMs: number };
  /** Undefined: who is authenticated may do all. */
  accessWebhook?: { allowedTtlMs: number; deniedTtlMs: number };
}

/** What comes from neither document. */
export type AgentIdentity = Pick<
  AgentConfig,
  'nodeName' | 'nodeIps' | 'nodeLabels' | 'rootDir' | 'certDir' | 'imageCredentialProviders'
> &
  Partial<Pick<ClusterConfig, 'kubeconfig' | 'bootstrapKubeconfig'>> &
  Pick<ClusterConfig, 'externalCloudProvider'>;

export function agentConfig(
  kubelet: KubeletValues,
  roslet: RosletValues,
  { kubeconfig, bootstrapKubeconfig, externalCloudProvider, ...identity }: AgentIdentity,
): AgentConfig {
  return {
    ...identity,
    podLogsDir: kubelet.podLogsDir || undefined,
    log: {
      format: (kubelet['logging.format'] || 'auto') as LogFormat,
      level: logLevel(kubelet['logging.verbosity']),
    },
    oomScoreAdj: kubelet.oomScoreAdj,
    socketGroup: roslet.socketGroup,
    ros: {
      transport: roslet['ros.transport'] as RosConfig['transport'],
      ...(roslet['ros.rclnodejsPath'] ? { rclnodejsPath: roslet['ros.rclnodejsPath'] } : {}),
      robotName: roslet['ros.robotName'] || identity.nodeName,
      domainId: roslet['ros.domainId'],
      discoveryRange: roslet['ros.discoveryRange'] as RosConfig['discoveryRange'],
      staticPeers: roslet['ros.staticPeers'],
      requests: roslet['ros.requests'] as RosConfig['requests'],
      diagnosticsPeriodMs: roslet['ros.diagnosticsPeriod'],
    },

    staticPodPath: kubelet.staticPodPath || undefined,
    fileCheckFrequencyMs: kubelet.fileCheckFrequency,
    syncFrequencyMs: kubelet.syncFrequency,
    nodeStatusUpdateFrequencyMs: kubelet.nodeStatusUpdateFrequency,

    healthzBindAddress: kubelet.healthzBindAddress,
    healthzPort: kubelet.healthzPort,

    kubeletServer: kubeletServer(kubelet, kubeconfig !== undefined),
    streamIdleMs: kubelet.streamingConnectionIdleTimeout,

    runtime: roslet['runtime.default'] as RuntimeChoice,
    containerRuntimeEndpoint: kubelet.containerRuntimeEndpoint,
    runtimeRequestTimeoutMs: kubelet.runtimeRequestTimeout,
    registryPullQps: kubelet.registryPullQPS,
    registryBurst: kubelet.registryBurst,
    maxParallelImagePulls: serializeImagePulls(kubelet) ? 1 : kubelet.maxParallelImagePulls,
    keepAllImages: roslet['images.keepAll'],
    imageMinimumGcAgeMs: kubelet.imageMinimumGCAge,
    imageMaximumGcAgeMs: kubelet.imageMaximumGCAge,
    imageGcHighThresholdPercent: kubelet.imageGCHighThresholdPercent,
    imageGcLowThresholdPercent: kubelet.imageGCLowThresholdPercent,

    cgroupDriver: kubelet.cgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs',
    cgroupRoot: kubelet.cgroupRoot
      ? posix.normalize(kubelet.cgroupRoot)
      : defaultCgroupRoot(identity.rootDir),
    cgroupsPerQos: kubelet.cgroupsPerQOS,
    cpuCfsQuota: kubelet.cpuCFSQuota,
    cpuCfsQuotaPeriodUs: kubelet.cpuCFSQuotaPeriod * 1000,
    maxPods: maxPods(kubelet),
    podPidsLimit: kubelet.podPidsLimit > 0 ? kubelet.podPidsLimit : undefined,
    reservations: { systemReserved: kubelet.systemReserved, kubeReserved: kubelet.kubeReserved },
    enforceNodeAllocatable: kubelet.enforceNodeAllocatable.filter((key) => key !== 'none'),
    reservedCgroups: reservedCgroups(kubelet),
    seccompDefault: kubelet.seccompDefault,
    allowedUnsafeSysctls: kubelet.allowedUnsafeSysctls,

    eviction: {
      thresholds: parseThresholds({
        evictionHard: evictionHard(kubelet),
        evictionSoft: kubelet.evictionSoft,
        evictionSoftGracePeriodMs: kubelet.evictionSoftGracePeriod,
        evictionMinimumReclaim: kubelet.evictionMinimumReclaim,
      }),
      pressureTransitionPeriodMs: kubelet.evictionPressureTransitionPeriod,
      maxPodGracePeriodSeconds: kubelet.evictionMaxPodGracePeriod,
    },

    containerLogMaxSizeBytes: quantityValue(kubelet.containerLogMaxSize),
    containerLogMaxFiles: kubelet.containerLogMaxFiles,
    containerLogMonitorIntervalMs: kubelet.containerLogMonitorInterval,

    crashLoopInitialMs: roslet['crashLoopBackOff.initialPeriod'],
    maxContainerRestartPeriodMs: kubelet['crashLoopBackOff.maxContainerRestartPeriod'],

    ...(kubeconfig === undefined
      ? {}
      : {
          cluster: {
            kubeconfig,
            ...(bootstrapKubeconfig === undefined ? {} : { bootstrapKubeconfig }),
            rotateCertificates: kubelet.rotateCertificates,
            registerNode: kubelet.registerNode,
            taints: kubelet.registerWithTaints,
            providerId: kubelet.providerID,
            externalCloudProvider,
            leaseDurationSeconds: kubelet.nodeLeaseDurationSeconds,
            requestsPerSecond: kubelet.kubeAPIQPS,
            requestBurst: kubelet.kubeAPIBurst,
            statusReportMs: kubelet.nodeStatusReportFrequency,
            mostImages: kubelet.nodeStatusMaxImages,
          },
        }),

    clusterDns: kubelet.clusterDNS,
    clusterDomain: kubelet.clusterDomain,
    resolvConf: kubelet.resolvConf,
  };
}

/** Without a cluster nobody asks for it unless the port is set. */
function kubeletServer(kubelet: KubeletValues, hasCluster: boolean): KubeletServerConfig | undefined {
  const { enableServer, port = hasCluster ? defaultKubeletPort : 0 } = kubelet;
  const { readOnlyPort, tlsCertFile, tlsPrivateKeyFile } = kubelet;
  if (!enableServer || (port === 0 && readOnlyPort === 0)) return undefined;
  return {
    address: kubelet.address,
    port,
    readOnlyPort,
    debuggingHandlers: kubelet.enableDebuggingHandlers,
    systemLogs: kubelet.enableSystemLogHandler,
    profiling: kubelet.enableProfilingHandler,
    certificate:
      tlsCertFile && tlsPrivateKeyFile ? { certFile: tlsCertFile, keyFile: tlsPrivateKeyFile } : undefined,
    requestCertificate: kubelet.serverTLSBootstrap,
    tlsMinVersion: kubelet.tlsMinVersion as TlsVersionName,
    tlsCipherSuites: kubelet.tlsCipherSuites,
    clientCaFile: kubelet['authentication.x509.clientCAFile'] || undefined,
    anonymous: kubelet['authentication.anonymous.enabled'],
    tokenWebhook: kubelet['authentication.webhook.enabled']
      ? { cacheTtlMs: kubelet['authentication.webhook.cacheTTL'] }
      : undefined,
    accessWebhook:
      kubelet['authorization.mode'] === 'Webhook'
        ? {
            allowedTtlMs: kubelet['authorization.webhook.cacheAuthorizedTTL'],
            deniedTtlMs: kubelet['authorization.webhook.cacheUnauthorizedTTL'],
          }
        : undefined,
  };
}

function reservedCgroups(kubelet: KubeletValues): ReservedCgroup[] {
  return (['system', 'kube'] as const).flatMap((of) => {
    const name = kubelet[`${of}ReservedCgroup`] ?? '';
    const { cpu, memory, pid } = toAmounts(kubelet[`${of}Reserved`]);
    const enforced = (kind: string) => kubelet.enforceNodeAllocatable.includes(`${of}-reserved${kind}`);
    if (enforced('')) return [{ name, amounts: { cpu, memory, pid } }];
    return enforced('-compressible') ? [{ name, amounts: { cpu } }] : [];
  });
}

/** No more than podsPerCore for each core, where that is set. */
function maxPods({ maxPods: most, podsPerCore }: KubeletValues): number {
  return podsPerCore > 0 ? Math.min(most, podsPerCore * cpus().length) : most;
}

/**
 * Not the root of the hierarchies, where a kubelet on the same machine keeps its pods: each takes down pods that it
 * does not know. For the same reason agents with different root directories have different ones.
 */
function defaultCgroupRoot(rootDir: string): string {
  if (rootDir === defaultRootDir) return '/roslet';
  return `/roslet-${createHash('sha256').update(rootDir).digest('hex').slice(0, 8)}`;
}

/** True unless parallel pulls are asked for, in one way or the other. */
export function serializeImagePulls({
  serializeImagePulls: set,
  maxParallelImagePulls: max,
}: KubeletValues): boolean {
  return set ?? (max === undefined || max < 2);
}

/** The kubelet's defaults hold where no threshold is set at all, or where they are to be merged. */
export function evictionHard({
  evictionHard: set,
  mergeDefaultEvictionSettings: merge,
}: KubeletValues): Record<string, string> {
  return set === undefined || merge ? { ...defaultEvictionHard, ...set } : set;
}

const defaultKubeletPort = 10250;

const defaultEvictionHard = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};

/** The kubelet's verbosity: 2 and 3 are for everyday use, 4 is debugging, more is everything. */
function logLevel(verbosity: number): LogLevel {
  if (verbosity >= 6) return 'trace';
  return verbosity >= 4 ? 'debug' : 'info';
}
