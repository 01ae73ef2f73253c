/**
 * A pod's own /etc/hosts and the names that it is known by. The file's content and header are the kubelet's, since
 * programs look for them.
 */

import { constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostAlias, Pod } from '../../api/core.gen.ts';
import { podName, podNamespace } from '../identity.ts';
import { ContainerConfigError } from './config-error.ts';
import { openOwn } from './open-own.ts';

export interface PodHostname {
  hostname: string;
  /** `<subdomain>.<namespace>.svc.<cluster domain>`; empty without a subdomain. */
  domain: string;
}

export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const spec = pod.spec;
  if (spec?.hostnameOverride) return { hostname: shortened(spec.hostnameOverride), domain: '' };
  const hostname = shortened(spec?.hostname || podName(pod));
  const domain = spec?.subdomain ? `${spec.subdomain}.${podNamespace(pod)}.svc.${clusterDomain}` : '';
  return { hostname, domain };
}

/**
 * What the kernel's hostname of the pod is.
 * @throws ContainerConfigError when setHostnameAsFQDN asks for more than the kernel can hold.
 */
export function kernelHostname(pod: Pod, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  if (!pod.spec?.setHostnameAsFQDN || domain === '') return hostname;
  const fqdn = `${hostname}.${domain}`;
  if (fqdn.length > maxKernelHostname) {
    throw new ContainerConfigError(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long (` +
        `${maxKernelHostname} characters is the max, ${fqdn.length} characters requested)`,
      'CreateContainerError',
    );
  }
  return fqdn;
}

/** Content for a pod with its own network. */
export function managedHosts(
  podIps: readonly string[],
  { hostname, domain }: PodHostname,
  aliases: readonly HostAlias[],
): string {
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIps.map((ip) => `${ip}\t${names}`),
    aliasLines(aliases),
  ].join('\n');
}

/** Content for a pod on the host's network: the host's own, and the aliases. */
const hostNetworkHosts = (hostFile: string, aliases: readonly HostAlias[]): string =>
  `# Kubernetes-managed hosts file (host network).\n${hostFile}${aliasLines(aliases)}`;

/**
 * Writes the pod's file and returns its path. In place, since containers that run have it mounted.
 * @param podDir of the agent; no container can put a link there.
 */
export async function writePodHosts(
  podDir: string,
  pod: Pod,
  podIps: readonly string[],
  clusterDomain: string,
  hostsPath = '/etc/hosts',
): Promise<string> {
  const aliases = pod.spec?.hostAliases ?? [];
  const content = pod.spec?.hostNetwork
    ? hostNetworkHosts(await readFile(hostsPath, 'utf8'), aliases)
    : managedHosts(podIps, podHostname(pod, clusterDomain), aliases);
  const path = join(podDir, 'etc-hosts');
  await using file = await openOwn(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  if ((await file.readFile('utf8')) !== content) {
    await file.chmod(0o644);
    // A reader between the two steps sees too much rather than nothing.
    const written = await file.write(content, 0);
    await file.truncate(written.bytesWritten);
  }
  return path;
}

const maxLabel = 63;
const maxKernelHostname = 64;

function shortened(name: string): string {
  return name.length <= maxLabel ? name : name.slice(0, maxLabel).replace(/[-.]+$/, '');
}

function aliasLines(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`);
  return `\n# Entries added by HostAliases.\n${lines.join('')}`;
}
