/**
 * The fields of KubeletConfiguration that are known and checked but not followed: setting one to anything but its zero
 * value or the kubelet's default, which is how it is here, is warned of, once and by name. A field moves to
 * `kubelet-fields.ts` when something follows it.
 */
import type { FieldSpec } from './kubelet-fields.ts';

export const laterFields: Readonly<Record<string, FieldSpec>> = {
  'memorySwap.swapBehavior': { kind: 'string', oneOf: ['NoSwap', 'LimitedSwap'] },
  volumeStatsAggPeriod: { kind: 'duration', flag: 'volume-stats-agg-period' },
  shutdownGracePeriod: { kind: 'duration' },
  shutdownGracePeriodCriticalPods: { kind: 'duration' },
  staticPodURL: { kind: 'string', flag: 'manifest-url' },
  staticPodURLHeader: { kind: 'listMap', flag: 'manifest-url-header' },
  tlsCurvePreferences: { kind: 'list' },
  imagePullCredentialsVerificationPolicy: { kind: 'string' },
  preloadedImagesVerificationAllowlist: { kind: 'strings' },
  singleProcessOOMKill: { kind: 'bool' },
  cpuManagerPolicyOptions: { kind: 'stringMap', flag: 'cpu-manager-policy-options' },
  cpuManagerReconcilePeriod: { kind: 'duration', flag: 'cpu-manager-reconcile-period', default: 10_000 },
  topologyManagerPolicy: { kind: 'string', flag: 'topology-manager-policy', default: 'none' },
  topologyManagerScope: { kind: 'string', flag: 'topology-manager-scope', default: 'container' },
  topologyManagerPolicyOptions: { kind: 'stringMap', flag: 'topology-manager-policy-options' },
  qosReserved: { kind: 'stringMap', flag: 'qos-reserved' },
  podCIDR: { kind: 'string', flag: 'pod-cidr' },
  runOnce: { kind: 'bool', flag: 'runonce' },
  makeIPTablesUtilChains: { kind: 'bool', flag: 'make-iptables-util-chains' },
  featureGates: { kind: 'boolMap', flag: 'feature-gates' },
  failSwapOn: { kind: 'bool', flag: 'fail-swap-on' },
  reservedSystemCPUs: { kind: 'string', flag: 'reserved-cpus' },
  'logging.vmodule': { kind: 'list', flag: 'vmodule' },
  'logging.options.text.splitStream': { kind: 'bool', flag: 'log-text-split-stream' },
  'logging.options.json.splitStream': { kind: 'bool', flag: 'log-json-split-stream' },
  enableSystemLogQuery: { kind: 'bool' },
  shutdownGracePeriodByPodPriority: { kind: 'list' },
  reservedMemory: { kind: 'list', flag: 'reserved-memory' },
  memoryReservationPolicy: { kind: 'string' },
  'tracing.endpoint': { kind: 'string' },
  'tracing.samplingRatePerMillion': { kind: 'int' },
  localStorageCapacityIsolation: { kind: 'bool', flag: 'local-storage-capacity-isolation' },
  failCgroupV1: { kind: 'bool', flag: 'fail-cgroupv1' },
  'userNamespaces.idsPerPod': { kind: 'int' },
};

/** Those that ask for nothing that could be done here: taken without a word, as every cluster sets some of them. */
export const mootFields: Readonly<Record<string, FieldSpec & { why: string }>> = {
  eventRecordQPS: {
    kind: 'int',
    flag: 'event-qps',
    min: 0,
    zeroIsValue: true,
    why: 'events are sent one after the other, as fast as the API server takes them',
  },
  eventBurst: { kind: 'int', flag: 'event-burst', min: 0, why: 'as eventRecordQPS' },
  containerLogMaxWorkers: { kind: 'int', min: 1, zeroIsValue: true, why: 'a log is rotated at once' },
  httpCheckFrequency: { kind: 'duration', flag: 'http-check-frequency', why: 'of staticPodURL' },
  enableContentionProfiling: { kind: 'bool', flag: 'contention-profiling', why: 'of the Go runtime' },
  kubeletCgroups: { kind: 'string', flag: 'kubelet-cgroups', why: 'the service manager places the agent' },
  systemCgroups: {
    kind: 'string',
    flag: 'system-cgroups',
    why: 'the service manager places the services of the machine',
  },
  hairpinMode: {
    kind: 'string',
    flag: 'hairpin-mode',
    why: 'the network plugin decides, under the kubelet too',
  },
  maxOpenFiles: { kind: 'int', flag: 'max-open-files', why: 'LimitNOFILE of the unit says' },
  contentType: {
    kind: 'string',
    flag: 'kube-api-content-type',
    why: 'the API server gives the same objects in each',
  },
  enableControllerAttachDetach: {
    kind: 'bool',
    flag: 'enable-controller-attach-detach',
    why: 'no volume here is attached',
  },
  protectKernelDefaults: {
    kind: 'bool',
    flag: 'protect-kernel-defaults',
    why: 'no setting of the kernel is ever changed',
  },
  iptablesMasqueradeBit: { kind: 'int', why: 'nothing uses it, in the kubelet neither' },
  iptablesDropBit: { kind: 'int', why: 'nothing uses it, in the kubelet neither' },
  configMapAndSecretChangeDetectionStrategy: { kind: 'string', why: 'each object is watched by itself' },
  showHiddenMetricsForVersion: { kind: 'string', why: 'of metrics of the kubelet that go' },
  volumePluginDir: { kind: 'string', flag: 'volume-plugin-dir', why: 'a pod with a FlexVolume is refused' },
  kernelMemcgNotification: {
    kind: 'bool',
    flag: 'kernel-memcg-notification',
    why: 'memory is read often enough',
  },
  'logging.flushFrequency': {
    kind: 'durationOrNs',
    flag: 'log-flush-frequency',
    why: 'every line is written at once',
  },
  'logging.options.text.infoBufferSize': {
    kind: 'quantity',
    default: '0',
    flag: 'log-text-info-buffer-size',
    why: 'every line is written at once',
  },
  'logging.options.json.infoBufferSize': {
    kind: 'quantity',
    default: '0',
    flag: 'log-json-info-buffer-size',
    why: 'every line is written at once',
  },
  enableDebugFlagsHandler: { kind: 'bool', why: 'of the logging library of the kubelet' },
  memoryThrottlingFactor: { kind: 'float', why: 'of the alpha feature MemoryQoS' },
};
