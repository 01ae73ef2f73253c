/** The tables of support.ts. Notes are ends of sentences; they are shown to the user and in docs/podspec.md. */
import type * as core from './core.gen.ts';

export type Support =
  | { level: 'supported'; note?: string }
  /** Only these values are; the others are refused. */
  | { level: 'partly'; values: readonly (string | boolean)[]; note: string; inCluster?: true }
  /** The pod is refused. */
  | { level: 'refused'; note: string; inCluster?: true }
  /** Accepted, and nothing comes of it on a single node. */
  | { level: 'noEffect'; note: string };

/** Every field must be there, and no other may. */
type Table<T> = { readonly [F in keyof T]-?: Support };

const yes: Support = { level: 'supported' };
const noted = (note: string): Support => ({ level: 'supported', note });
const only = (
  values: readonly (string | boolean)[],
  note: string,
): Extract<Support, { level: 'partly' }> => ({
  level: 'partly',
  values,
  note,
});
const refused = (note: string): Extract<Support, { level: 'refused' }> => ({ level: 'refused', note });
/** What a standalone node refuses because a cluster has to provide it. */
const inCluster = (support: Extract<Support, { level: 'partly' | 'refused' }>): Support => ({
  ...support,
  inCluster: true,
});
const noEffect = (note: string): Support => ({ level: 'noEffect', note });

const scheduler = noEffect('for the scheduler of a cluster: here the pod is already on its node');
const network = refused('network volumes are not: mount it on the host and use hostPath');
const needsControlPlane = 'it needs a control plane, which a standalone node does not have';
const windows = refused('roslet runs on Linux only');
const imagesOnly = noted('containers with an image only; host processes refuse it');

const appArmor = noted(
  'containers with an image only, refused on a machine without AppArmor; host processes refuse Localhost profiles',
);

/**
 * Annotations that ask for something which would silently not happen. Those of Kubernetes itself are the cluster's to refuse:
 * its API server turns them into the fields that took their place, or has given them up. As a kubelet does, roslet looks at
 * those of AppArmor alone.
 */
export const annotationSupport: readonly { prefix: string; reason: string }[] = [
  {
    prefix: 'container.apparmor.security.beta.kubernetes.io/',
    reason: 'is not supported: use securityContext.appArmorProfile instead',
  },
  {
    prefix: 'seccomp.security.alpha.kubernetes.io/',
    reason: 'is not supported: use securityContext.seccompProfile instead',
  },
  {
    prefix: 'container.seccomp.security.alpha.kubernetes.io/',
    reason: 'is not supported: use securityContext.seccompProfile instead',
  },
  ...['dds.', 'sched.', 'memlock.', 'rt-millicpu'].map((name) => ({
    prefix: `roslet.dev/${name}`,
    reason: 'is not supported by this version of roslet yet',
  })),
];

const PodSpec: Table<core.PodSpec> = {
  activeDeadlineSeconds: yes,
  affinity: yes,
  automountServiceAccountToken: noEffect('there are no service account tokens without a control plane'),
  containers: yes,
  dnsConfig: yes,
  dnsPolicy: noted('ClusterFirst is Default on a node without a cluster DNS'),
  enableServiceLinks: noEffect('there are no Services without a control plane'),
  ephemeralContainers: inCluster(refused('nobody can add them here: use roslet exec')),
  hostAliases: yes,
  hostIPC: yes,
  hostNetwork: yes,
  hostPID: yes,
  hostUsers: only([true], 'user namespaces are not supported yet'),
  hostname: yes,
  hostnameOverride: yes,
  imagePullSecrets: yes,
  initContainers: noted('also as sidecars, with restartPolicy Always'),
  nodeName: noted('it must be the name of this node'),
  nodeSelector: noted('the pod is refused when the node has other labels'),
  os: yes,
  overhead: yes,
  preemptionPolicy: scheduler,
  priority: noted('decides who is evicted and shut down first'),
  priorityClassName: inCluster(
    only(
      ['', 'system-node-critical', 'system-cluster-critical'],
      'there are no PriorityClass objects without a control plane: give spec.priority instead',
    ),
  ),
  readinessGates: noted('conditions are set through the API'),
  resourceClaims: refused(`dynamic resource allocation: ${needsControlPlane}`),
  resources: inCluster(
    refused(
      'resources of the whole pod are completed and checked by an API server: give them to its containers',
    ),
  ),
  restartPolicy: yes,
  runtimeClassName: noted(
    'host-process runs the pod as processes of the host; others are handlers of the runtime, in a cluster those that its RuntimeClasses name',
  ),
  schedulerName: scheduler,
  schedulingGates: inCluster(refused(`nothing would ever open the gates: ${needsControlPlane}`)),
  schedulingGroup: refused(`pod groups: ${needsControlPlane}`),
  securityContext: yes,
  serviceAccount: noted(
    'the name only, for spec.serviceAccountName of the downward API: tokens are of a cluster',
  ),
  serviceAccountName: noted('the name only, for the downward API: tokens are of a cluster'),
  setHostnameAsFQDN: yes,
  shareProcessNamespace: yes,
  subdomain: yes,
  terminationGracePeriodSeconds: yes,
  tolerations: yes,
  topologySpreadConstraints: scheduler,
  volumes: yes,
};

const Container: Table<core.Container> = {
  args: yes,
  command: noted('required for host processes, which have no image'),
  env: yes,
  envFrom: yes,
  image: noted('ignored by host processes'),
  imagePullPolicy: yes,
  lifecycle: yes,
  livenessProbe: yes,
  name: yes,
  ports: yes,
  readinessProbe: yes,
  resizePolicy: noted(
    'also for a changed manifest; a request or limit that is removed from it starts the container anew',
  ),
  resources: yes,
  restartPolicy: yes,
  restartPolicyRules: yes,
  securityContext: yes,
  startupProbe: yes,
  stdin: yes,
  stdinOnce: yes,
  terminationMessagePath: yes,
  terminationMessagePolicy: yes,
  tty: yes,
  volumeDevices: refused('block devices need a persistent volume: use hostPath with type BlockDevice'),
  volumeMounts: yes,
  workingDir: yes,
};

const Volume: Table<core.Volume> = {
  name: yes,
  configMap: yes,
  downwardAPI: yes,
  emptyDir: yes,
  hostPath: yes,
  projected: yes,
  secret: yes,
  persistentVolumeClaim: inCluster(refused(`claims: ${needsControlPlane}; use hostPath`)),
  ephemeral: inCluster(refused(`claim templates: ${needsControlPlane}; use emptyDir`)),
  csi: refused('CSI drivers are not supported yet'),
  image: refused('volumes of images are not supported yet'),
  gitRepo: refused('gitRepo was removed from Kubernetes: clone in an init container into an emptyDir'),
  flexVolume: refused('FlexVolume drivers are not supported'),
  awsElasticBlockStore: network,
  azureDisk: network,
  azureFile: network,
  cephfs: network,
  cinder: network,
  fc: network,
  flocker: network,
  gcePersistentDisk: network,
  glusterfs: network,
  iscsi: network,
  nfs: network,
  photonPersistentDisk: network,
  portworxVolume: network,
  quobyte: network,
  rbd: network,
  scaleIO: network,
  storageos: network,
  vsphereVolume: network,
};

const VolumeProjection: Table<core.VolumeProjection> = {
  clusterTrustBundle: refused(`trust bundles: ${needsControlPlane}`),
  configMap: yes,
  downwardAPI: yes,
  podCertificate: refused(`pod certificates: ${needsControlPlane}`),
  secret: yes,
  serviceAccountToken: inCluster(refused(`service account tokens: ${needsControlPlane}`)),
};

const PodSecurityContext: Table<core.PodSecurityContext> = {
  appArmorProfile: appArmor,
  fsGroup: yes,
  fsGroupChangePolicy: noted('for claims in a cluster; what roslet makes itself gets the group at once'),
  runAsGroup: yes,
  runAsNonRoot: yes,
  runAsUser: yes,
  seLinuxChangePolicy: only(['Recursive'], 'mounting with a label is not supported'),
  seLinuxOptions: imagesOnly,
  seccompProfile: noted('host processes take RuntimeDefault and Unconfined only'),
  supplementalGroups: yes,
  supplementalGroupsPolicy: yes,
  sysctls: noted('those of namespaces that the pod has for itself; unsafe ones must be allowed by the node'),
  windowsOptions: windows,
};

const SecurityContext: Table<core.SecurityContext> = {
  allowPrivilegeEscalation: yes,
  appArmorProfile: appArmor,
  capabilities: yes,
  privileged: yes,
  procMount: only(['', 'Default'], 'Unmasked needs user namespaces, which are not supported yet'),
  readOnlyRootFilesystem: yes,
  runAsGroup: yes,
  runAsNonRoot: yes,
  runAsUser: yes,
  seLinuxOptions: imagesOnly,
  seccompProfile: noted('host processes take RuntimeDefault and Unconfined only'),
  windowsOptions: windows,
};

const EnvVarSource: Table<core.EnvVarSource> = {
  configMapKeyRef: yes,
  fieldRef: yes,
  fileKeyRef: refused('variables from files of a volume are not supported yet'),
  resourceFieldRef: yes,
  secretKeyRef: yes,
};

const Affinity: Table<core.Affinity> = {
  nodeAffinity: yes,
  podAffinity: scheduler,
  podAntiAffinity: scheduler,
};

const NodeAffinity: Table<core.NodeAffinity> = {
  preferredDuringSchedulingIgnoredDuringExecution: scheduler,
  requiredDuringSchedulingIgnoredDuringExecution: noted('the pod is refused when the node has other labels'),
};

const Probe: Table<core.Probe> = {
  exec: yes,
  failureThreshold: yes,
  grpc: yes,
  httpGet: yes,
  initialDelaySeconds: yes,
  periodSeconds: yes,
  successThreshold: yes,
  tcpSocket: yes,
  terminationGracePeriodSeconds: yes,
  timeoutSeconds: yes,
};

const ResourceRequirements: Table<core.ResourceRequirements> = {
  claims: refused(`dynamic resource allocation: ${needsControlPlane}`),
  limits: yes,
  requests: yes,
};

const ContainerResizePolicy: Table<core.ContainerResizePolicy> = {
  resourceName: yes,
  restartPolicy: yes,
};

const ContainerRestartRule: Table<core.ContainerRestartRule> = {
  action: only(['Restart'], 'restarting all containers of the pod is not supported yet'),
  exitCodes: yes,
};

const AppArmorProfile: Table<core.AppArmorProfile> = { localhostProfile: yes, type: yes };
const Capabilities: Table<core.Capabilities> = { add: yes, drop: yes };
const ConfigMapEnvSource: Table<core.ConfigMapEnvSource> = { name: yes, optional: yes };
const ConfigMapKeySelector: Table<core.ConfigMapKeySelector> = { key: yes, name: yes, optional: yes };
const ConfigMapProjection: Table<core.ConfigMapProjection> = { items: yes, name: yes, optional: yes };
const ConfigMapVolumeSource: Table<core.ConfigMapVolumeSource> = {
  defaultMode: yes,
  items: yes,
  name: yes,
  optional: yes,
};
const ContainerPort: Table<core.ContainerPort> = {
  containerPort: yes,
  hostIP: yes,
  hostPort: yes,
  name: yes,
  protocol: yes,
};
const ContainerRestartRuleOnExitCodes: Table<core.ContainerRestartRuleOnExitCodes> = {
  operator: yes,
  values: yes,
};
const DownwardAPIProjection: Table<core.DownwardAPIProjection> = { items: yes };
const DownwardAPIVolumeFile: Table<core.DownwardAPIVolumeFile> = {
  fieldRef: yes,
  mode: yes,
  path: yes,
  resourceFieldRef: yes,
};
const DownwardAPIVolumeSource: Table<core.DownwardAPIVolumeSource> = { defaultMode: yes, items: yes };
const EmptyDirVolumeSource: Table<core.EmptyDirVolumeSource> = {
  medium: noted('the disk, Memory, HugePages and HugePages-<size>'),
  sizeLimit: yes,
};
const EnvFromSource: Table<core.EnvFromSource> = { configMapRef: yes, prefix: yes, secretRef: yes };
const EnvVar: Table<core.EnvVar> = { name: yes, value: noted('with $(VAR) expanded'), valueFrom: yes };
const ExecAction: Table<core.ExecAction> = { command: yes };
const GRPCAction: Table<core.GRPCAction> = { port: yes, service: yes };
const HTTPGetAction: Table<core.HTTPGetAction> = {
  host: yes,
  httpHeaders: yes,
  path: yes,
  port: yes,
  scheme: yes,
};
const HTTPHeader: Table<core.HTTPHeader> = { name: yes, value: yes };
const HostAlias: Table<core.HostAlias> = { hostnames: yes, ip: yes };
const HostPathVolumeSource: Table<core.HostPathVolumeSource> = { path: yes, type: yes };
const KeyToPath: Table<core.KeyToPath> = { key: yes, mode: yes, path: yes };
const Lifecycle: Table<core.Lifecycle> = { postStart: yes, preStop: yes, stopSignal: yes };
const LifecycleHandler: Table<core.LifecycleHandler> = {
  exec: yes,
  httpGet: yes,
  sleep: yes,
  tcpSocket: noted('as in Kubernetes it does nothing but connect'),
};
const LocalObjectReference: Table<core.LocalObjectReference> = { name: yes };
const NodeSelector: Table<core.NodeSelector> = { nodeSelectorTerms: yes };
const NodeSelectorRequirement: Table<core.NodeSelectorRequirement> = { key: yes, operator: yes, values: yes };
const NodeSelectorTerm: Table<core.NodeSelectorTerm> = { matchExpressions: yes, matchFields: yes };
const ObjectFieldSelector: Table<core.ObjectFieldSelector> = { apiVersion: yes, fieldPath: yes };
const PodDNSConfig: Table<core.PodDNSConfig> = { nameservers: yes, options: yes, searches: yes };
const PodDNSConfigOption: Table<core.PodDNSConfigOption> = { name: yes, value: yes };
const PodOS: Table<core.PodOS> = { name: only(['linux'], 'roslet runs on Linux only') };
const PodReadinessGate: Table<core.PodReadinessGate> = { conditionType: yes };
const ProjectedVolumeSource: Table<core.ProjectedVolumeSource> = { defaultMode: yes, sources: yes };
const ResourceFieldSelector: Table<core.ResourceFieldSelector> = {
  containerName: yes,
  divisor: yes,
  resource: yes,
};
const SELinuxOptions: Table<core.SELinuxOptions> = { level: yes, role: yes, type: yes, user: yes };
const SeccompProfile: Table<core.SeccompProfile> = { localhostProfile: yes, type: yes };
const SecretEnvSource: Table<core.SecretEnvSource> = { name: yes, optional: yes };
const SecretKeySelector: Table<core.SecretKeySelector> = { key: yes, name: yes, optional: yes };
const SecretProjection: Table<core.SecretProjection> = { items: yes, name: yes, optional: yes };
const SecretVolumeSource: Table<core.SecretVolumeSource> = {
  defaultMode: yes,
  items: yes,
  optional: yes,
  secretName: yes,
};
const SleepAction: Table<core.SleepAction> = { seconds: yes };
const Sysctl: Table<core.Sysctl> = { name: yes, value: yes };
const TCPSocketAction: Table<core.TCPSocketAction> = { host: yes, port: yes };
const Toleration: Table<core.Toleration> = {
  effect: yes,
  key: yes,
  operator: yes,
  tolerationSeconds: noEffect('the taint manager of a cluster counts them'),
  value: yes,
};
const VolumeMount: Table<core.VolumeMount> = {
  mountPath: yes,
  mountPropagation: yes,
  name: yes,
  readOnly: yes,
  recursiveReadOnly: yes,
  subPath: yes,
  subPathExpr: yes,
};

export const supportTables = {
  Affinity,
  AppArmorProfile,
  Capabilities,
  ConfigMapEnvSource,
  ConfigMapKeySelector,
  ConfigMapProjection,
  ConfigMapVolumeSource,
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ContainerRestartRule,
  ContainerRestartRuleOnExitCodes,
  DownwardAPIProjection,
  DownwardAPIVolumeFile,
  DownwardAPIVolumeSource,
  EmptyDirVolumeSource,
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  HTTPHeader,
  HostAlias,
  HostPathVolumeSource,
  KeyToPath,
  Lifecycle,
  LifecycleHandler,
  LocalObjectReference,
  NodeAffinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  ObjectFieldSelector,
  PodDNSConfig,
  PodDNSConfigOption,
  PodOS,
  PodReadinessGate,
  PodSecurityContext,
  PodSpec,
  Probe,
  ProjectedVolumeSource,
  ResourceFieldSelector,
  ResourceRequirements,
  SELinuxOptions,
  SeccompProfile,
  SecretEnvSource,
  SecretKeySelector,
  SecretProjection,
  SecretVolumeSource,
  SecurityContext,
  SleepAction,
  Sysctl,
  TCPSocketAction,
  Toleration,
  Volume,
  VolumeMount,
  VolumeProjection,
};
