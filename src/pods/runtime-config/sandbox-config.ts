/** A pod's sandbox as CRI takes it: names, namespaces, ports, DNS, sysctls. Decides only; nothing is written. */
import type { LinuxContainerResources, PodSandboxConfig, PortMapping } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { type Paths, podLogDir } from '../../paths.ts';
import {
  isSidecar,
  podName,
  podNameLabel,
  podNamespace,
  podNamespaceLabel,
  podUid,
  podUidLabel,
} from '../identity.ts';
import { type ConfigWarning, ContainerConfigError } from './config-error.ts';
import { type DnsInput, podDns } from './dns.ts';
import { kernelHostname } from './etc-files.ts';
import { sandboxSecurityContext } from './security.ts';

export interface SandboxInput {
  /** Counts the sandboxes of the pod. */
  attempt: number;
  paths: Paths;
  cgroupParent: string;
  dns: DnsInput;
  /** Sum of the pod's containers. */
  resources?: LinuxContainerResources;
  overhead?: LinuxContainerResources;
}

/** @throws ContainerConfigError when the pod asks for what cannot be. */
export function podSandboxConfig(
  pod: Pod,
  input: SandboxInput,
): { config: PodSandboxConfig; warnings: ConfigWarning[] } {
  const [name, namespace, uid] = [podName(pod), podNamespace(pod), podUid(pod)];
  const { dns, warnings } = podDns(pod, input.dns);
  const config: PodSandboxConfig = {
    metadata: { name, namespace, uid, attempt: input.attempt },
    hostname: pod.spec?.hostNetwork ? '' : kernelHostname(pod, input.dns.clusterDomain),
    logDirectory: podLogDir(input.paths, namespace, name, uid),
    dnsConfig: dns,
    portMappings: portMappings(pod),
    labels: {
      ...pod.metadata?.labels,
      [podNameLabel]: name,
      [podNamespaceLabel]: namespace,
      [podUidLabel]: uid,
    },
    annotations: { ...pod.metadata?.annotations },
    cgroupParent: input.cgroupParent,
    sysctls: sysctls(pod),
    securityContext: sandboxSecurityContext(pod),
    resources: input.resources,
    overhead: input.overhead,
  };
  return { config, warnings };
}

/** Host ports of the containers that run while the pod does. A pod on the host's network needs none. */
function portMappings(pod: Pod): PortMapping[] {
  if (pod.spec?.hostNetwork) return [];
  const running = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])];
  return running.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => port.hostPort)
      .map((port) => ({
        protocol: protocolOf(port.protocol),
        containerPort: port.containerPort,
        hostPort: port.hostPort!,
        hostIp: port.hostIP ?? '',
      })),
  );
}

function protocolOf(protocol: string | undefined): PortMapping['protocol'] {
  switch (protocol) {
    case undefined:
    case 'TCP':
      return 'TCP';
    case 'UDP':
    case 'SCTP':
      return protocol;
    default:
      throw new ContainerConfigError(`port protocol '${protocol}' is not TCP, UDP or SCTP`);
  }
}

const sysctls = (pod: Pod): Record<string, string> =>
  Object.fromEntries(
    (pod.spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [dotted(name), value]),
  );

/** `net/ipv4/conf/eth0.1/rp_filter` is `net.ipv4.conf.eth0/1.rp_filter`: the first separator tells which form it is. */
function dotted(name: string): string {
  if (!/^[^.]*\//.test(name)) return name;
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}
