/** How a process takes part in ROS 2 discovery, read from the environment as rmw reads it. */
import { type DiscoveryOptions, TransportError } from './transport.ts';

/** Highest domain whose ports stay below 65536. */
const maxDomainId = 232;

const ranges: Readonly<Record<string, DiscoveryOptions['range']>> = {
  SUBNET: 'subnet',
  LOCALHOST: 'localhost',
  OFF: 'off',
  SYSTEM_DEFAULT: 'system_default',
};

/** Whether nobody but this machine can take part. What a vendor's configuration adds is not looked into. */
export const isConfinedToHost = ({ range, staticPeers, vendorConfig }: DiscoveryOptions): boolean =>
  (range === 'localhost' || range === 'off') &&
  vendorConfig === undefined &&
  staticPeers.every((peer) => ['localhost', '127.0.0.1', '::1'].includes(peer));

/**
 * ROS_LOCALHOST_ONLY is what Humble has instead of ROS_AUTOMATIC_DISCOVERY_RANGE and ROS_STATIC_PEERS; where it is 1 it
 * goes before them, as in rcl.
 *
 * @throws TransportError that names the variable.
 */
export function discoveryFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): DiscoveryOptions {
  const localhostOnly = env.ROS_LOCALHOST_ONLY === '1';
  return {
    domainId: domainId(env.ROS_DOMAIN_ID),
    range: localhostOnly ? 'localhost' : range(env.ROS_AUTOMATIC_DISCOVERY_RANGE),
    staticPeers: localhostOnly ? [] : list(env.ROS_STATIC_PEERS),
    vendorConfig: env.CYCLONEDDS_URI || undefined,
  };
}

function domainId(text: string | undefined): number {
  if (!text) return 0;
  const id = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (id <= maxDomainId) return id;
  throw new TransportError(`ROS_DOMAIN_ID is '${text}'; it must be a number from 0 to ${maxDomainId}`, false);
}

function range(text: string | undefined): DiscoveryOptions['range'] {
  if (!text) return 'subnet';
  const value = ranges[text.trim().toUpperCase()];
  if (value) return value;
  throw new TransportError(
    `ROS_AUTOMATIC_DISCOVERY_RANGE is '${text}'; it must be one of ${Object.keys(ranges).join(', ')}`,
    false,
  );
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(';')
    .map((peer) => peer.trim())
    .filter((peer) => peer !== '');
}
