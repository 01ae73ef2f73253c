/**
 * What a pod's resolv.conf says: dnsPolicy and dnsConfig over the node's own resolv.conf and the cluster's DNS.
 * Rules: core/v1 PodSpec.dnsPolicy and PodDNSConfig; limits of glibc's resolver.
 */
import type { DnsConfig } from '../../../runtime/runtime.ts';
import type { Pod, PodDNSConfig } from '../../api/core.gen.ts';
import { podNamespace } from '../identity.ts';
import type { ConfigWarning } from './config-error.ts';

export interface DnsInput {
  /** As `parseResolvConf` read the node's. */
  host: DnsConfig;
  /** Empty on a node without a cluster: ClusterFirst then is Default. */
  clusterDns: readonly string[];
  clusterDomain: string;
}

export function podDns(pod: Pod, input: DnsInput): { dns: DnsConfig; warnings: ConfigWarning[] } {
  const merged = withDnsConfig(policyDns(pod, input), pod.spec?.dnsConfig);
  const { dns, warnings } = limited(merged);
  if (!pod.spec?.hostNetwork && dns.servers.length > 0 && dns.servers.every(isLoopback)) {
    warnings.push({
      reason: 'DNSConfigForming',
      message:
        `No nameserver of the node can be reached from the pod's own network: ${dns.servers.join(' ')}. ` +
        'Set resolvConf to a file with the real ones, such as /run/systemd/resolve/resolv.conf',
    });
  }
  return { dns, warnings };
}

export function parseResolvConf(text: string): DnsConfig {
  const dns: DnsConfig = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    switch (keyword) {
      case 'nameserver':
        dns.servers.push(...values.slice(0, 1));
        break;
      case 'search':
        dns.searches = values.map((domain) => (domain === '.' ? domain : domain.replace(/\.$/, '')));
        break;
      case 'options':
        dns.options = appendOptions(dns.options, values);
        break;
    }
  }
  return dns;
}

function policyDns(pod: Pod, { host, clusterDns, clusterDomain }: DnsInput): DnsConfig {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const wantsCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork);
  if (!wantsCluster || clusterDns.length === 0) return host;
  const cluster =
    clusterDomain === ''
      ? []
      : [`${podNamespace(pod)}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return {
    servers: [...clusterDns],
    searches: unique([...cluster, ...host.searches]),
    options: ['ndots:5'],
  };
}

function withDnsConfig(dns: DnsConfig, config: PodDNSConfig | undefined): DnsConfig {
  if (config === undefined) return dns;
  return {
    servers: unique([...dns.servers, ...(config.nameservers ?? [])]),
    searches: unique([...dns.searches, ...(config.searches ?? [])]),
    options: appendOptions(
      dns.options,
      (config.options ?? []).map(({ name, value }) => (value ? `${name}:${value}` : (name ?? ''))),
    ),
  };
}

const maxServers = 3;
const maxSearches = 32;
const maxSearchChars = 2048;

function limited(dns: DnsConfig): { dns: DnsConfig; warnings: ConfigWarning[] } {
  const warnings: ConfigWarning[] = [];
  const servers = dns.servers.slice(0, maxServers);
  if (servers.length < dns.servers.length) {
    warnings.push({
      reason: 'DNSConfigForming',
      message:
        'Nameserver limits were exceeded, some nameservers have been omitted, ' +
        `the applied nameserver line is: ${servers.join(' ')}`,
    });
  }
  const searches = dns.searches.slice(0, maxSearches);
  while (searches.join(' ').length > maxSearchChars) searches.pop();
  if (searches.length < dns.searches.length) {
    warnings.push({
      reason: 'DNSConfigForming',
      message:
        'Search Line limits were exceeded, some search paths have been omitted, ' +
        `the applied search line is: ${searches.join(' ')}`,
    });
  }
  return { dns: { servers, searches, options: dns.options }, warnings };
}

/** A later option replaces an earlier one of the same name. */
function appendOptions(options: readonly string[], more: readonly string[]): string[] {
  const byName = new Map([...options, ...more].map((option) => [option.split(':')[0]!, option]));
  return [...byName.values()].filter((option) => option !== '');
}

const isLoopback = (server: string): boolean => server === '::1' || server.startsWith('127.');

const unique = (items: readonly string[]): string[] => [...new Set(items)];
