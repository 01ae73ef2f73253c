/** What the kubelet requires of fields beyond their kind and range, most of it between fields. */
import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';
import { parseQuantity } from '../api/quantity.ts';
import { evictionSignals } from '../node/thresholds.ts';
import type { KubeletFieldName, KubeletValues } from './kubelet-fields.ts';
import { knownSuites } from './tls-names.ts';

export interface FieldProblem {
  path: KubeletFieldName;
  message: string;
}

/** @param hasCluster whether there is an API server that the agent can ask */
export function validateKubeletValues(values: KubeletValues, hasCluster: boolean): FieldProblem[] {
  return checks.flatMap((check) => check(values, hasCluster) ?? []);
}

type Check = (values: KubeletValues, hasCluster: boolean) => FieldProblem | FieldProblem[] | undefined;

const knownSignals: readonly string[] = evictionSignals;

const reservable = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

const enforcements = [
  'none',
  'pods',
  'system-reserved',
  'system-reserved-compressible',
  'kube-reserved',
  'kube-reserved-compressible',
];

const checks: readonly Check[] = [
  ({ cpuManagerPolicy }) =>
    cpuManagerPolicy === 'none'
      ? undefined
      : {
          path: 'cpuManagerPolicy',
          message: `must be none, not '${cpuManagerPolicy}': no container gets CPUs of its own yet`,
        },
  ({ memoryManagerPolicy }) =>
    memoryManagerPolicy === 'None'
      ? undefined
      : {
          path: 'memoryManagerPolicy',
          message: `must be None, not '${memoryManagerPolicy}': no container gets memory of a NUMA node of its own yet`,
        },
  ({ imageServiceEndpoint, containerRuntimeEndpoint }) =>
    imageServiceEndpoint === undefined || imageServiceEndpoint === containerRuntimeEndpoint
      ? undefined
      : {
          path: 'imageServiceEndpoint',
          message: `must be that of the runtime (${containerRuntimeEndpoint}), not '${imageServiceEndpoint}': images of another service are not implemented yet`,
        },
  ({ healthzBindAddress }) =>
    isIP(healthzBindAddress)
      ? undefined
      : { path: 'healthzBindAddress', message: `must be an IP address, not '${healthzBindAddress}'` },
  ({ address }) =>
    isIP(address) ? undefined : { path: 'address', message: `must be an IP address, not '${address}'` },
  ({ port, readOnlyPort }) =>
    port !== undefined && port === readOnlyPort
      ? { path: 'readOnlyPort', message: `must not be the same as port (${port})` }
      : undefined,
  ({ port, enableServer, 'authentication.webhook.enabled': asksWhoseToken }, hasCluster) =>
    port !== undefined && enableServer && asksWhoseToken && !hasCluster
      ? { path: 'authentication.webhook.enabled', message: withoutApiServer('false') }
      : undefined,
  ({ port, enableServer, 'authorization.mode': mode }, hasCluster) =>
    port !== undefined && enableServer && mode === 'Webhook' && !hasCluster
      ? { path: 'authorization.mode', message: withoutApiServer('AlwaysAllow') }
      : undefined,
  ({ serverTLSBootstrap }, hasCluster) =>
    serverTLSBootstrap && !hasCluster
      ? {
          path: 'serverTLSBootstrap',
          message: 'needs --kubeconfig: there is nobody to ask for a certificate',
        }
      : undefined,
  ({ tlsCertFile, tlsPrivateKeyFile }) =>
    !tlsCertFile === !tlsPrivateKeyFile
      ? undefined
      : {
          path: tlsCertFile ? 'tlsCertFile' : 'tlsPrivateKeyFile',
          message: `needs ${tlsCertFile ? 'tlsPrivateKeyFile' : 'tlsCertFile'} beside it`,
        },
  ({ tlsCipherSuites }) =>
    problemsOf(
      'tlsCipherSuites',
      tlsCipherSuites,
      (name) =>
        !knownSuites.includes(name) &&
        `holds '${name}', which is not offered; choose of ${knownSuites.join(', ')}`,
    ),
  ({ clusterDNS }) =>
    problemsOf('clusterDNS', clusterDNS, (ip) => !isIP(ip) && `holds '${ip}', which is no IP address`),
  ({ podLogsDir }) =>
    podLogsDir !== undefined && !/^[\x20-\x7e]*$/.test(podLogsDir)
      ? { path: 'podLogsDir', message: 'must hold ASCII characters only' }
      : undefined,
  ({ cgroupRoot }) =>
    cgroupRoot && (!isAbsolute(cgroupRoot) || normalize(cgroupRoot) !== cgroupRoot)
      ? {
          path: 'cgroupRoot',
          message: `must be an absolute path without '..', such as /robot, not '${cgroupRoot}'`,
        }
      : undefined,
  ({ cgroupDriver, cgroupsPerQOS }) =>
    cgroupDriver === 'systemd' && !cgroupsPerQOS
      ? { path: 'cgroupsPerQOS', message: 'must be true with cgroupDriver: systemd' }
      : undefined,
  ({ imageGCLowThresholdPercent: low, imageGCHighThresholdPercent: high }) =>
    low >= high
      ? {
          path: 'imageGCLowThresholdPercent',
          message: `must be less than imageGCHighThresholdPercent (${high}), not ${low}`,
        }
      : undefined,
  ({ imageMaximumGCAge: max, imageMinimumGCAge: min }) =>
    max > 0 && max <= min
      ? { path: 'imageMaximumGCAge', message: 'must be more than imageMinimumGCAge, or 0' }
      : undefined,
  ({ serializeImagePulls, maxParallelImagePulls: max }) =>
    serializeImagePulls && max !== undefined && max > 1
      ? {
          path: 'maxParallelImagePulls',
          message: 'must not be more than 1 unless serializeImagePulls is false',
        }
      : undefined,
  ({ containerLogMaxSize }) =>
    parseQuantity(containerLogMaxSize)?.nano === 0n
      ? { path: 'containerLogMaxSize', message: 'must not be 0; a negative size switches rotation off' }
      : undefined,
  reserved('systemReserved'),
  reserved('kubeReserved'),
  signalsOf('evictionHard'),
  signalsOf('evictionSoft'),
  signalsOf('evictionSoftGracePeriod'),
  signalsOf('evictionMinimumReclaim'),
  moreThanZero('evictionHard'),
  moreThanZero('evictionSoft'),
  ({ evictionSoft, evictionSoftGracePeriod }) =>
    problemsOf(
      'evictionSoft',
      Object.keys(evictionSoft),
      (signal) =>
        !evictionSoftGracePeriod[signal] && `needs a period for ${signal} in evictionSoftGracePeriod`,
    ),
  checkEnforcements,
];

const withoutApiServer = (value: string): string =>
  `must be ${value} for the port that is set: there is no API server to ask without --kubeconfig`;

function reserved(path: 'systemReserved' | 'kubeReserved'): Check {
  return (values) =>
    problemsOf(path, Object.entries(values[path]), ([resource, quantity]) => {
      if (!reservable.includes(resource))
        return `cannot reserve '${resource}', only ${reservable.join(', ')}`;
      return quantity.startsWith('-') && `must not be negative, as ${resource} is`;
    });
}

function signalsOf(
  path: 'evictionHard' | 'evictionSoft' | 'evictionSoftGracePeriod' | 'evictionMinimumReclaim',
): Check {
  return (values) =>
    problemsOf(
      path,
      Object.keys(values[path] ?? {}),
      (signal) =>
        !knownSignals.includes(signal) &&
        `has the unknown signal '${signal}'; known are ${knownSignals.join(', ')}`,
    );
}

function moreThanZero(path: 'evictionHard' | 'evictionSoft'): Check {
  return (values) =>
    problemsOf(
      path,
      Object.entries(values[path] ?? {}),
      ([signal, text]) =>
        parseQuantity(text)?.nano === 0n && `of ${signal} must be more than 0; 0% switches a threshold off`,
    );
}

function checkEnforcements(values: KubeletValues): FieldProblem[] {
  const { enforceNodeAllocatable: keys, cgroupsPerQOS } = values;
  return problemsOf('enforceNodeAllocatable', keys, (key, index) => {
    if (!enforcements.includes(key))
      return `has the unknown value '${key}'; known are ${enforcements.join(', ')}`;
    if (keys.indexOf(key) !== index) return `has '${key}' twice`;
    if (key === 'none') return keys.length > 1 && `must hold nothing else beside 'none'`;
    if (!cgroupsPerQOS) return `'${key}' needs cgroupsPerQOS: true`;
    const of = key.startsWith('kube') ? 'kube' : 'system';
    if (key === 'pods') return false;
    if (keys.includes(`${key}-compressible`)) return `must not hold both '${key}' and '${key}-compressible'`;
    if (!values[`${of}ReservedCgroup`]?.replaceAll('/', '')) return `'${key}' needs ${of}ReservedCgroup`;
    return Object.keys(values[`${of}Reserved`]).length === 0 && `'${key}' needs ${of}Reserved`;
  });
}

/** A problem for each item that has one. */
function problemsOf<T>(
  path: KubeletFieldName,
  items: readonly T[],
  problem: (item: T, index: number) => string | false,
): FieldProblem[] {
  return items.flatMap((item, index) => {
    const message = problem(item, index);
    return message ? [{ path, message }] : [];
  });
}
