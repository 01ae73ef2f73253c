/**
 * The variables by which containers find services (core/v1 "service links"): those of the pod's namespace, and always
 * the API server's own service. Pure.
 */
import type { Pod } from '../api/core.gen.ts';
import { podNamespace } from '../pods/identity.ts';
import type { Service } from './types.ts';

export function serviceEnv(services: Iterable<Service>, pod: Pod): Map<string, string> {
  const links = pod.spec?.enableServiceLinks ?? true;
  const namespace = podNamespace(pod);
  const byName = new Map<string, Service>();
  for (const service of services) {
    const { clusterIP = '' } = service.spec ?? {};
    if (clusterIP === '' || clusterIP === 'None') continue;
    const name = service.metadata?.name ?? '';
    const isApiServer = service.metadata?.namespace === 'default' && name === 'kubernetes';
    const isOfPod = links && service.metadata?.namespace === namespace;
    // A service of that name in the pod's own namespace is what the pod means.
    if (isOfPod || (isApiServer && !byName.has(name))) byName.set(name, service);
  }
  const env = new Map<string, string>();
  for (const [name, service] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1)))
    addService(env, name, service);
  return env;
}

function addService(env: Map<string, string>, name: string, { spec }: Service): void {
  const { clusterIP = '', ports = [] } = spec ?? {};
  const [first] = ports;
  if (first === undefined) return;
  const prefix = envName(name);
  const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
  env.set(`${prefix}_SERVICE_HOST`, clusterIP);
  env.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name: portName, port } of ports) {
    if (portName) env.set(`${prefix}_SERVICE_PORT_${envName(portName)}`, String(port));
  }
  for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
    const url = `${protocol.toLowerCase()}://${host}:${port}`;
    // The variables of Docker's links.
    if (index === 0) env.set(`${prefix}_PORT`, url);
    const link = `${prefix}_PORT_${port}_${protocol}`;
    env.set(link, url);
    env.set(`${link}_PROTO`, protocol.toLowerCase());
    env.set(`${link}_PORT`, String(port));
    env.set(`${link}_ADDR`, clusterIP);
  }
}

const envName = (name: string): string => name.toUpperCase().replaceAll('-', '_');
