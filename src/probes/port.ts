/** Ports of probes and hooks: a number, or the name of one of the container's ports. */
import type { AnyContainer } from '../pods/identity.ts';

export class PortError extends Error {
  override readonly name = 'PortError';
}

/** @throws PortError when no port of the container has that name, or the number is none of a port. */
export function resolvePort(port: number | string, container: AnyContainer): number {
  const named = container.ports?.find(({ name }) => name !== undefined && name === port);
  const number = named?.containerPort ?? Number(port);
  if (Number.isInteger(number) && number >= 1 && number <= 65535) return number;
  const names = container.ports?.flatMap(({ name }) => name ?? []) ?? [];
  const known = names.length > 0 ? `its named ports are ${names.join(', ')}` : 'it names no port';
  throw new PortError(`container ${container.name} has no port '${port}': ${known}`);
}

/** `host:port`, with brackets about an IPv6 address. */
export const hostAndPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** @throws Error when the pod has no address to send to. */
export function targetHost(host: string | undefined, podIp: string): string {
  const target = host || podIp;
  if (target) return target;
  throw new Error('the pod has no IP address to send to; give the probe or hook a host, or use exec');
}
