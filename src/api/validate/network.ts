/** The pod's names and name resolution, and its ports on the host. */
import type { Container, PodDNSConfig, PodSpec } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  dnsSearchDomain,
  ipAddress,
  portName,
  portNumber,
} from '../names.ts';

export function validateNetwork(spec: PodSpec, path: string, errors: FieldErrors): void {
  const { dnsConfig, dnsPolicy = '', hostAliases = [], hostname, hostnameOverride, subdomain } = spec;
  errors.checkOneOf(child(path, 'dnsPolicy'), dnsPolicy, DNS_POLICIES);
  if (dnsPolicy === 'None' && (dnsConfig?.nameservers ?? []).length === 0) {
    errors.required(child(path, 'dnsConfig.nameservers'), 'dnsPolicy None leaves the pod without any other');
  }
  if (dnsConfig !== undefined) validateDnsConfig(dnsConfig, child(path, 'dnsConfig'), errors);
  for (const [position, { hostnames = [], ip }] of hostAliases.entries()) {
    const itemPath = index(child(path, 'hostAliases'), position);
    errors.check(child(itemPath, 'ip'), ip, ipAddress);
    for (const [at, name] of hostnames.entries()) {
      errors.check(index(child(itemPath, 'hostnames'), at), name, dns1123Subdomain);
    }
  }
  if (hostname) errors.check(child(path, 'hostname'), hostname, dns1123Label);
  if (subdomain) errors.check(child(path, 'subdomain'), subdomain, dns1123Label);
  if (hostnameOverride !== undefined) {
    validateHostnameOverride(hostnameOverride, spec, child(path, 'hostnameOverride'), errors);
  }
}

/** Ports of one container, by themselves. */
export function validatePorts(
  { ports = [] }: Pick<Container, 'ports'>,
  isHostNetwork: boolean,
  path: string,
  errors: FieldErrors,
): void {
  const names = new Set<string>();
  for (const [position, { containerPort, hostPort = 0, name, protocol = '' }] of ports.entries()) {
    const itemPath = index(path, position);
    if (name && errors.check(child(itemPath, 'name'), name, portName)) {
      if (names.has(name))
        errors.duplicate(child(itemPath, 'name'), name, `another port is already called "${name}"`);
      names.add(name);
    }
    if (containerPort === 0)
      errors.required(child(itemPath, 'containerPort'), 'a number between 1 and 65535');
    else errors.check(child(itemPath, 'containerPort'), containerPort, portNumber);
    if (hostPort !== 0) errors.check(child(itemPath, 'hostPort'), hostPort, portNumber);
    if (isHostNetwork && hostPort !== containerPort) {
      errors.invalid(
        child(itemPath, 'hostPort'),
        hostPort,
        `must be ${containerPort} as containerPort with hostNetwork`,
      );
    }
    errors.checkOneOf(child(itemPath, 'protocol'), protocol, PROTOCOLS);
  }
}

/** Ports of the host that two containers which run at the same time both want. */
export function validateHostPorts(containers: readonly Container[], path: string, errors: FieldErrors): void {
  const owners = new Map<string, string>();
  for (const [position, { ports = [] }] of containers.entries()) {
    for (const [at, { hostIP = '', hostPort = 0, protocol = '' }] of ports.entries()) {
      if (hostPort === 0) continue;
      const key = `${protocol} ${hostIP} ${hostPort}`;
      const portPath = index(child(index(path, position), 'ports'), at);
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, portPath);
      else
        errors.duplicate(
          child(portPath, 'hostPort'),
          hostPort,
          `${protocol} ${hostPort} is already used by ${owner}`,
        );
    }
  }
}

const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/** What resolv.conf of the C library takes. */
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
/** Of the kernel (sethostname). */
const MAX_HOSTNAME = 64;

function validateDnsConfig(config: PodDNSConfig, path: string, errors: FieldErrors): void {
  const { nameservers = [], options = [], searches = [] } = config;
  if (nameservers.length > MAX_NAMESERVERS) {
    errors.invalid(child(path, 'nameservers'), nameservers, `must have at most ${MAX_NAMESERVERS} servers`);
  }
  for (const [position, server] of nameservers.entries()) {
    errors.check(index(child(path, 'nameservers'), position), server, ipAddress);
  }
  if (searches.length > MAX_SEARCHES || searches.join(' ').length > MAX_SEARCH_CHARACTERS) {
    const message = `must have at most ${MAX_SEARCHES} domains and ${MAX_SEARCH_CHARACTERS} characters`;
    errors.invalid(child(path, 'searches'), searches, message);
  }
  for (const [position, search] of searches.entries()) {
    if (search === '.') continue;
    errors.check(index(child(path, 'searches'), position), search.replace(/\.$/, ''), dnsSearchDomain);
  }
  for (const [position, { name }] of options.entries()) {
    if (!name) errors.required(child(index(child(path, 'options'), position), 'name'), 'such as ndots');
  }
}

function validateHostnameOverride(name: string, spec: PodSpec, path: string, errors: FieldErrors): void {
  if (spec.setHostnameAsFQDN === true) errors.forbidden(path, 'must be left out with setHostnameAsFQDN');
  if (spec.hostNetwork === true)
    errors.forbidden(path, 'must be left out with hostNetwork: the host has a name');
  if (name.length > MAX_HOSTNAME) errors.tooLong(path, `must have at most ${MAX_HOSTNAME} characters`);
  errors.check(path, name, dns1123Subdomain);
}
