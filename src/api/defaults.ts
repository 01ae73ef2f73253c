/**
 * What the API server fills in when a core/v1 object leaves it out (pkg/apis/core/v1 defaulting, and the Priority
 * admission plugin as far as it needs no PriorityClass objects). Pure: the given object is not changed.
 */
import type {
  ConfigMap,
  Container,
  EphemeralContainer,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Pod,
  PodSpec,
  Probe,
  ResourceRequirements,
  Secret,
  Volume,
  VolumeProjection,
} from './core.gen.ts';
import { formatQuantity, parseQuantity } from './quantity.ts';

export function defaultPod(pod: Pod): Pod {
  const { spec } = pod;
  const metadata = { ...pod.metadata, namespace: pod.metadata?.namespace || 'default' };
  return { ...pod, metadata, ...(spec === undefined ? {} : { spec: defaultPodSpec(spec) }) };
}

export const defaultConfigMap = (configMap: ConfigMap): ConfigMap => ({
  ...configMap,
  metadata: { ...configMap.metadata, namespace: configMap.metadata?.namespace || 'default' },
});

/** Moves `stringData`, which is write-only, into `data`; it wins over a key that is in both. */
export function defaultSecret(secret: Secret): Secret {
  const { stringData, ...rest } = secret;
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  const data = { ...secret.data, ...Object.fromEntries(encoded) };
  return {
    ...rest,
    metadata: { ...secret.metadata, namespace: secret.metadata?.namespace || 'default' },
    ...(Object.keys(data).length === 0 ? {} : { data }),
    type: secret.type || 'Opaque',
  };
}

/** What `imagePullPolicy` is when a container does not say: `Always` for the tag latest, given or meant. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const [name = '', digest] = image.split('@', 2);
  const tag = /:([^:/]+)$/.exec(name)?.[1];
  const isLatest = image !== '' && (tag === 'latest' || (tag === undefined && digest === undefined));
  return isLatest ? 'Always' : 'IfNotPresent';
}

/** Priorities of the two classes that every cluster has. */
const systemPriorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

const DEFAULT_FILE_MODE = 0o644;

function defaultPodSpec(spec: PodSpec): PodSpec {
  const isHostNetwork = spec.hostNetwork === true;
  const serviceAccount = spec.serviceAccountName || spec.serviceAccount;
  return {
    ...spec,
    restartPolicy: spec.restartPolicy || 'Always',
    terminationGracePeriodSeconds: gracePeriodSeconds(spec.terminationGracePeriodSeconds),
    dnsPolicy: spec.dnsPolicy || 'ClusterFirst',
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName || 'default-scheduler',
    enableServiceLinks: spec.enableServiceLinks ?? true,
    preemptionPolicy: spec.preemptionPolicy || 'PreemptLowerPriority',
    priority: spec.priority ?? systemPriorities[spec.priorityClassName ?? ''] ?? 0,
    ...(serviceAccount ? { serviceAccountName: serviceAccount, serviceAccount } : {}),
    ...(spec.overhead === undefined ? {} : { overhead: canonicalQuantities(spec.overhead) }),
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(defaultVolume) }),
    containers: (spec.containers ?? []).map((container) => defaultContainer(container, isHostNetwork)),
    ...(spec.initContainers === undefined
      ? {}
      : { initContainers: spec.initContainers.map((item) => defaultContainer(item, isHostNetwork)) }),
    ...(spec.ephemeralContainers === undefined
      ? {}
      : { ephemeralContainers: spec.ephemeralContainers.map(defaultCommon) }),
  };
}

/** A negative one was once allowed and has meant 1 since. */
const gracePeriodSeconds = (seconds = 30): number => (seconds < 0 ? 1 : seconds);

function defaultContainer(container: Container, isHostNetwork: boolean): Container {
  const withDefaults = defaultCommon(container);
  const { ports, resources } = withDefaults;
  return {
    ...withDefaults,
    resources: defaultRequests(resources ?? {}),
    ...(isHostNetwork && ports !== undefined
      ? { ports: ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort })) }
      : {}),
  };
}

/** What holds for containers of every kind. */
function defaultCommon<C extends Container | EphemeralContainer>(container: C): C {
  const { env, lifecycle, livenessProbe, ports, readinessProbe, resources, startupProbe } = container;
  return {
    ...container,
    imagePullPolicy: container.imagePullPolicy || defaultPullPolicy(container.image ?? ''),
    terminationMessagePath: container.terminationMessagePath || '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy || 'File',
    ...(ports === undefined
      ? {}
      : { ports: ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) }),
    ...(env === undefined ? {} : { env: env.map(defaultEnvVar) }),
    ...(resources === undefined ? {} : { resources: canonicalResources(resources) }),
    ...(livenessProbe === undefined ? {} : { livenessProbe: defaultProbe(livenessProbe) }),
    ...(readinessProbe === undefined ? {} : { readinessProbe: defaultProbe(readinessProbe) }),
    ...(startupProbe === undefined ? {} : { startupProbe: defaultProbe(startupProbe) }),
    ...(lifecycle === undefined ? {} : { lifecycle: defaultLifecycle(lifecycle) }),
  };
}

type EnvVars = NonNullable<Container['env']>;

function defaultEnvVar(variable: EnvVars[number]): EnvVars[number] {
  const fieldRef = variable.valueFrom?.fieldRef;
  if (fieldRef === undefined) return variable;
  return { ...variable, valueFrom: { ...variable.valueFrom, fieldRef: withApiVersion(fieldRef) } };
}

const withApiVersion = <T extends { apiVersion?: string }>(selector: T): T => ({
  ...selector,
  apiVersion: selector.apiVersion || 'v1',
});

/** A resource that has a limit and no request is requested in full. */
function defaultRequests(resources: ResourceRequirements): ResourceRequirements {
  const { limits, requests } = resources;
  return limits === undefined ? resources : { ...resources, requests: { ...limits, ...requests } };
}

const canonicalResources = ({ limits, requests, ...rest }: ResourceRequirements): ResourceRequirements => ({
  ...rest,
  ...(limits === undefined ? {} : { limits: canonicalQuantities(limits) }),
  ...(requests === undefined ? {} : { requests: canonicalQuantities(requests) }),
});

/** Resource lists are kept in thousandths, rounded up, and written in the canonical form. */
const canonicalQuantities = (list: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(list).map(([name, text]) => [name, canonicalQuantity(text, 10n ** 6n)]));

function canonicalQuantity(text: string, unitNano = 1n): string {
  const quantity = parseQuantity(text);
  if (quantity === undefined) return text;
  const remainder = quantity.nano % unitNano;
  const away = remainder === 0n ? 0n : quantity.nano < 0n ? -unitNano : unitNano;
  return formatQuantity({ ...quantity, nano: quantity.nano - remainder + away });
}

const defaultProbe = (probe: Probe): Probe => ({
  ...probe,
  timeoutSeconds: probe.timeoutSeconds || 1,
  periodSeconds: probe.periodSeconds || 10,
  successThreshold: probe.successThreshold || 1,
  failureThreshold: probe.failureThreshold || 3,
  ...(probe.httpGet === undefined ? {} : { httpGet: defaultHttpGet(probe.httpGet) }),
  ...(probe.grpc === undefined ? {} : { grpc: { ...probe.grpc, service: probe.grpc.service ?? '' } }),
});

const defaultHttpGet = (action: HTTPGetAction): HTTPGetAction => ({
  ...action,
  path: action.path || '/',
  scheme: action.scheme || 'HTTP',
});

const defaultLifecycle = ({ postStart, preStop, ...rest }: Lifecycle): Lifecycle => ({
  ...rest,
  ...(postStart === undefined ? {} : { postStart: defaultHandler(postStart) }),
  ...(preStop === undefined ? {} : { preStop: defaultHandler(preStop) }),
});

const defaultHandler = (handler: LifecycleHandler): LifecycleHandler =>
  handler.httpGet === undefined ? handler : { ...handler, httpGet: defaultHttpGet(handler.httpGet) };

function defaultVolume(volume: Volume): Volume {
  const { configMap, downwardAPI, emptyDir, hostPath, image, name, projected, secret } = volume;
  const hasSource = Object.keys(volume).some((field) => field !== 'name');
  if (!hasSource) return { name, emptyDir: {} };
  return {
    ...volume,
    ...(emptyDir?.sizeLimit === undefined
      ? {}
      : { emptyDir: { ...emptyDir, sizeLimit: canonicalQuantity(emptyDir.sizeLimit) } }),
    ...(hostPath === undefined ? {} : { hostPath: { ...hostPath, type: hostPath.type ?? '' } }),
    ...(configMap === undefined ? {} : { configMap: withDefaultMode(configMap) }),
    ...(secret === undefined ? {} : { secret: withDefaultMode(secret) }),
    ...(downwardAPI === undefined ? {} : { downwardAPI: withDefaultMode(withFieldRefs(downwardAPI)) }),
    ...(projected === undefined
      ? {}
      : { projected: { ...withDefaultMode(projected), sources: projected.sources?.map(defaultProjection) } }),
    ...(image === undefined
      ? {}
      : { image: { ...image, pullPolicy: image.pullPolicy || defaultPullPolicy(image.reference ?? '') } }),
  };
}

const withDefaultMode = <T extends { defaultMode?: number }>(source: T): T => ({
  ...source,
  defaultMode: source.defaultMode ?? DEFAULT_FILE_MODE,
});

type DownwardItems = NonNullable<NonNullable<Volume['downwardAPI']>['items']>;

const withFieldRefs = <T extends { items?: DownwardItems }>(source: T): T =>
  source.items === undefined
    ? source
    : {
        ...source,
        items: source.items.map((item) =>
          item.fieldRef === undefined ? item : { ...item, fieldRef: withApiVersion(item.fieldRef) },
        ),
      };

function defaultProjection(projection: VolumeProjection): VolumeProjection {
  const { downwardAPI, serviceAccountToken } = projection;
  return {
    ...projection,
    ...(downwardAPI === undefined ? {} : { downwardAPI: withFieldRefs(downwardAPI) }),
    ...(serviceAccountToken === undefined
      ? {}
      : {
          serviceAccountToken: {
            ...serviceAccountToken,
            expirationSeconds: serviceAccountToken.expirationSeconds ?? 3600,
          },
        }),
  };
}
