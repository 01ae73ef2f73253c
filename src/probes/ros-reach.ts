/**
 * What a container says itself of why no ROS 2 bridge will ever hear it. What its image or a config map sets is not known here;
 * the bridge looks at the sockets of who is not heard.
 */
import type { AnyContainer } from '../pods/identity.ts';

/** Undefined: it may be heard. */
export function whyNeverHeard(
  { env = [] }: AnyContainer,
  isOnHostNetwork: boolean,
  agentDomainId: number,
): string | undefined {
  const value = (name: string) => env.findLast((variable) => variable.name === name)?.value?.trim();
  const domain = value('ROS_DOMAIN_ID') ?? '';
  if (/^\d{1,3}$/.test(domain) && Number(domain) !== agentDomainId) {
    return `its ROS_DOMAIN_ID is ${domain}, and the agent is on domain ${agentDomainId}: give both the same (ros.domainId of the agent)`;
  }
  const range = value('ROS_AUTOMATIC_DISCOVERY_RANGE')?.toUpperCase();
  if (range === 'OFF') return 'its ROS_AUTOMATIC_DISCOVERY_RANGE is OFF';
  const isLocal = range === 'LOCALHOST' || value('ROS_LOCALHOST_ONLY') === '1';
  if (isLocal && !isOnHostNetwork) {
    return 'its ROS 2 discovery stays on the loopback of its own network: let it be SUBNET, or set hostNetwork';
  }
  return undefined;
}
