/**
 * The fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) that roslet follows: kind, default, flag and
 * limits as in the kubelet of Kubernetes 1.36. Nested fields are written with dots. The fields that are known but not
 * followed are in `later-fields.ts`; together they are all that the type has.
 */
import { tlsVersions } from './tls-names.ts';
import type { FieldKind, KindValues } from './values.ts';

export interface FieldSpec<K extends FieldKind = FieldKind> {
  kind: K;
  /** In force when the field is not set. None: unset is a value of its own. */
  default?: KindValues[K];
  /** Name of the command line flag that overrides the field. */
  flag?: string;
  /**
   * Whether an explicit zero value is meant, by a flag alone or also in a file; elsewhere zero means "not set", as in
   * the Go type.
   */
  zeroIsValue?: true | 'flag';
  /** Of numbers, and of durations in milliseconds; inclusive. */
  min?: number;
  max?: number;
  oneOf?: readonly string[];
  /** Relative paths start at the directory of the file that holds them. */
  isPath?: true;
}

export const kubeletFields = {
  staticPodPath: { kind: 'string', flag: 'pod-manifest-path', isPath: true },
  podLogsDir: { kind: 'string', isPath: true },
  syncFrequency: { kind: 'duration', default: 60_000, flag: 'sync-frequency' },
  fileCheckFrequency: { kind: 'duration', default: 20_000, flag: 'file-check-frequency' },
  healthzBindAddress: { kind: 'string', default: '127.0.0.1', flag: 'healthz-bind-address' },
  healthzPort: { kind: 'int', default: 10248, flag: 'healthz-port', min: 0, max: 65535, zeroIsValue: true },
  enableServer: { kind: 'bool', default: true, flag: 'enable-server', zeroIsValue: true },
  address: { kind: 'string', default: '0.0.0.0', flag: 'address' },
  port: { kind: 'int', flag: 'port', min: 1, max: 65535 },
  readOnlyPort: { kind: 'int', default: 0, flag: 'read-only-port', min: 0, max: 65535 },
  enableDebuggingHandlers: {
    kind: 'bool',
    default: true,
    flag: 'enable-debugging-handlers',
    zeroIsValue: true,
  },
  enableSystemLogHandler: { kind: 'bool', default: true, zeroIsValue: true },
  enableProfilingHandler: { kind: 'bool', default: true, zeroIsValue: true },
  streamingConnectionIdleTimeout: {
    kind: 'duration',
    default: 4 * 3600_000,
    flag: 'streaming-connection-idle-timeout',
    zeroIsValue: 'flag',
  },
  tlsCertFile: { kind: 'string', flag: 'tls-cert-file', isPath: true },
  tlsPrivateKeyFile: { kind: 'string', flag: 'tls-private-key-file', isPath: true },
  tlsCipherSuites: { kind: 'strings', default: [], flag: 'tls-cipher-suites' },
  tlsMinVersion: {
    kind: 'string',
    default: 'VersionTLS12',
    flag: 'tls-min-version',
    oneOf: Object.keys(tlsVersions),
  },
  rotateCertificates: { kind: 'bool', default: false, flag: 'rotate-certificates' },
  serverTLSBootstrap: { kind: 'bool', default: false, flag: 'rotate-server-certificates' },
  'authentication.x509.clientCAFile': { kind: 'string', flag: 'client-ca-file', isPath: true },
  'authentication.webhook.enabled': {
    kind: 'bool',
    default: true,
    flag: 'authentication-token-webhook',
    zeroIsValue: true,
  },
  'authentication.webhook.cacheTTL': {
    kind: 'duration',
    default: 120_000,
    flag: 'authentication-token-webhook-cache-ttl',
  },
  'authentication.anonymous.enabled': {
    kind: 'bool',
    default: false,
    flag: 'anonymous-auth',
    zeroIsValue: true,
  },
  'authorization.mode': {
    kind: 'string',
    default: 'Webhook',
    flag: 'authorization-mode',
    oneOf: ['AlwaysAllow', 'Webhook'],
  },
  'authorization.webhook.cacheAuthorizedTTL': {
    kind: 'duration',
    default: 300_000,
    flag: 'authorization-webhook-cache-authorized-ttl',
  },
  'authorization.webhook.cacheUnauthorizedTTL': {
    kind: 'duration',
    default: 30_000,
    flag: 'authorization-webhook-cache-unauthorized-ttl',
  },
  clusterDomain: { kind: 'string', default: '', flag: 'cluster-domain' },
  clusterDNS: { kind: 'strings', default: [], flag: 'cluster-dns' },
  resolvConf: {
    kind: 'string',
    default: '/etc/resolv.conf',
    flag: 'resolv-conf',
    zeroIsValue: true,
    isPath: true,
  },
  registerNode: { kind: 'bool', default: true, flag: 'register-node', zeroIsValue: true },
  registerWithTaints: { kind: 'taints', default: [], flag: 'register-with-taints' },
  providerID: { kind: 'string', default: '', flag: 'provider-id' },
  nodeLeaseDurationSeconds: { kind: 'int', default: 40, min: 1 },
  nodeStatusMaxImages: {
    kind: 'int',
    default: 50,
    flag: 'node-status-max-images',
    min: -1,
    zeroIsValue: true,
  },
  nodeStatusReportFrequency: { kind: 'duration', default: 300_000 },
  nodeStatusUpdateFrequency: { kind: 'duration', default: 10_000, flag: 'node-status-update-frequency' },
  kubeAPIQPS: { kind: 'int', default: 50, flag: 'kube-api-qps', min: 0 },
  kubeAPIBurst: { kind: 'int', default: 100, flag: 'kube-api-burst', min: 0 },
  containerRuntimeEndpoint: {
    kind: 'string',
    default: 'unix:///run/containerd/containerd.sock',
    flag: 'container-runtime-endpoint',
  },
  imageServiceEndpoint: { kind: 'string', flag: 'image-service-endpoint' },
  runtimeRequestTimeout: { kind: 'duration', default: 120_000, flag: 'runtime-request-timeout' },
  registryPullQPS: { kind: 'int', default: 5, flag: 'registry-qps', min: 0, zeroIsValue: true },
  registryBurst: { kind: 'int', default: 10, flag: 'registry-burst', min: 0 },
  serializeImagePulls: { kind: 'bool', flag: 'serialize-image-pulls', zeroIsValue: true },
  maxParallelImagePulls: { kind: 'int', min: 1, zeroIsValue: true },
  imageMinimumGCAge: { kind: 'duration', default: 120_000, flag: 'minimum-image-ttl-duration' },
  imageMaximumGCAge: { kind: 'duration', default: 0 },
  imageGCHighThresholdPercent: {
    kind: 'int',
    default: 85,
    flag: 'image-gc-high-threshold',
    min: 0,
    max: 100,
    zeroIsValue: true,
  },
  imageGCLowThresholdPercent: {
    kind: 'int',
    default: 80,
    flag: 'image-gc-low-threshold',
    min: 0,
    max: 100,
    zeroIsValue: true,
  },
  cgroupRoot: { kind: 'string', default: '', flag: 'cgroup-root' },
  cgroupsPerQOS: { kind: 'bool', default: true, flag: 'cgroups-per-qos', zeroIsValue: true },
  cgroupDriver: {
    kind: 'string',
    default: 'cgroupfs',
    flag: 'cgroup-driver',
    oneOf: ['cgroupfs', 'systemd'],
  },
  cpuManagerPolicy: { kind: 'string', default: 'none', flag: 'cpu-manager-policy' },
  memoryManagerPolicy: { kind: 'string', default: 'None', flag: 'memory-manager-policy' },
  cpuCFSQuota: { kind: 'bool', default: true, flag: 'cpu-cfs-quota', zeroIsValue: true },
  cpuCFSQuotaPeriod: {
    kind: 'duration',
    default: 100,
    flag: 'cpu-cfs-quota-period',
    min: 1,
    max: 1000,
    zeroIsValue: true,
  },
  oomScoreAdj: { kind: 'int', flag: 'oom-score-adj', min: -1000, max: 1000, zeroIsValue: true },
  maxPods: { kind: 'int', default: 110, flag: 'max-pods', min: 0 },
  podsPerCore: { kind: 'int', default: 0, flag: 'pods-per-core', min: 0 },
  podPidsLimit: { kind: 'int', default: -1, flag: 'pod-max-pids', zeroIsValue: true },
  systemReserved: { kind: 'quantityMap', default: {}, flag: 'system-reserved' },
  kubeReserved: { kind: 'quantityMap', default: {}, flag: 'kube-reserved' },
  systemReservedCgroup: { kind: 'string', flag: 'system-reserved-cgroup' },
  kubeReservedCgroup: { kind: 'string', flag: 'kube-reserved-cgroup' },
  enforceNodeAllocatable: {
    kind: 'strings',
    default: ['pods'],
    flag: 'enforce-node-allocatable',
    zeroIsValue: true,
  },
  evictionHard: { kind: 'thresholdMap', flag: 'eviction-hard', zeroIsValue: true },
  evictionSoft: { kind: 'thresholdMap', default: {}, flag: 'eviction-soft' },
  evictionSoftGracePeriod: { kind: 'durationMap', default: {}, flag: 'eviction-soft-grace-period' },
  evictionPressureTransitionPeriod: {
    kind: 'duration',
    default: 300_000,
    flag: 'eviction-pressure-transition-period',
  },
  evictionMaxPodGracePeriod: { kind: 'int', default: 0, flag: 'eviction-max-pod-grace-period' },
  evictionMinimumReclaim: { kind: 'thresholdMap', default: {}, flag: 'eviction-minimum-reclaim' },
  mergeDefaultEvictionSettings: { kind: 'bool', default: false, zeroIsValue: true },
  containerLogMaxSize: { kind: 'quantity', default: '10Mi', flag: 'container-log-max-size' },
  containerLogMaxFiles: {
    kind: 'int',
    default: 5,
    flag: 'container-log-max-files',
    min: 2,
    zeroIsValue: true,
  },
  containerLogMonitorInterval: { kind: 'duration', default: 10_000, min: 3000, zeroIsValue: true },
  allowedUnsafeSysctls: { kind: 'strings', default: [], flag: 'allowed-unsafe-sysctls' },
  seccompDefault: { kind: 'bool', default: false, flag: 'seccomp-default', zeroIsValue: true },
  'crashLoopBackOff.maxContainerRestartPeriod': {
    kind: 'duration',
    default: 300_000,
    min: 1000,
    max: 300_000,
    zeroIsValue: true,
  },
  'logging.format': { kind: 'string', flag: 'logging-format', oneOf: ['text', 'json'] },
  'logging.verbosity': { kind: 'int', default: 0, flag: 'v', min: 0 },
} as const satisfies Record<string, FieldSpec>;

export type KubeletFieldName = keyof typeof kubeletFields;

/** The values of all fields; undefined where a field is not set and has no default. */
export type KubeletValues = ValuesOf<typeof kubeletFields>;

export type ValuesOf<Table extends Record<string, FieldSpec>> = {
  [Name in keyof Table]:
    | KindValues[Table[Name]['kind']]
    | (Table[Name] extends { default: unknown } ? never : undefined);
};
