/**
 * On which ROS domains a pod is, told by the UDP ports that its processes hold (DDSI-RTPS 9.6.2.3: 7400 + 250 per domain). Who is
 * on another one than the agent is never heard, however well it lives.
 */
import type { RosProbeTarget } from '../prober.ts';
import { heldSockets, readUdpSockets, type UdpSockets } from './ownership.ts';

/** Why the pod is not heard; undefined: it may be. */
export async function otherDomain(
  target: RosProbeTarget,
  domainId: number,
  udpSockets: () => Promise<UdpSockets>,
): Promise<string | undefined> {
  const domains = domainsOf(await portsOf(target, udpSockets));
  if (domains.size === 0 || domains.has(domainId)) return undefined;
  const theirs = [...domains].sort((a, b) => a - b).join(', ');
  return `the processes of the pod are on ROS domain ${theirs}, and the agent on ${domainId}: give both the same (ROS_DOMAIN_ID, ros.domainId of the agent)`;
}

async function portsOf(
  target: RosProbeTarget,
  udpSockets: () => Promise<UdpSockets>,
): Promise<ReadonlySet<number>> {
  const pids = await target.pids();
  if (target.addresses.length === 0) {
    const [byPort, held] = [await udpSockets(), await heldSockets(pids)];
    return new Set([...byPort].filter(([, inodes]) => inodes.some((i) => held.has(i))).map(([port]) => port));
  }
  // All that is bound in the pod's own network is the pod's.
  const [pid] = pids;
  return new Set(pid === undefined ? [] : (await readUdpSockets(`/proc/${pid}/net`)).keys());
}

/**
 * Discovery by multicast, or the two ports that each participant has for itself: one socket alone may have got its port by
 * chance.
 */
function domainsOf(ports: ReadonlySet<number>): Set<number> {
  const domains = new Set<number>();
  for (const port of ports) {
    const domain = Math.floor((port - firstPort) / portsPerDomain);
    const offset = (port - firstPort) % portsPerDomain;
    const isOwnPair = offset >= firstOwnPort && offset % 2 === 0 && ports.has(port + 1);
    if (domain >= 0 && (offset === 0 || isOwnPair)) domains.add(domain);
  }
  return domains;
}

const firstPort = 7400;
const portsPerDomain = 250;
const firstOwnPort = 10;
