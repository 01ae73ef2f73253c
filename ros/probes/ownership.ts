/**
 * Whose a participant of the DDS domain is. Not by what it says of itself, which differs from vendor to vendor and can
 * be forged, but by where it is reached: at an address of the pod's own network, or on this machine at a UDP port that
 * is held open by a process of the pod.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { RosProbeTarget } from '../prober.ts';
import type { ParticipantInfo } from '../transport.ts';

export type Ownership = 'own' | 'other' | 'unknown';

export async function ownership(
  { locators }: Pick<ParticipantInfo, 'locators'>,
  target: RosProbeTarget,
): Promise<Ownership> {
  if (locators.length === 0) return 'unknown';
  if (target.addresses.length > 0) {
    return locators.some(({ address }) => target.addresses.includes(address)) ? 'own' : 'other';
  }
  const local = locators.filter(({ address }) => isOfThisMachine(address));
  if (local.length === 0) return 'other';
  const inodes = await udpSockets(new Set(local.map(({ port }) => port)));
  // A pod with a network of its own on this machine is reached at addresses that are not the host's; what is reached
  // at the host's and has no socket here is gone, or out of sight.
  if (inodes.size === 0) return 'unknown';
  for (const pid of await target.pids()) {
    if (await holds(pid, inodes)) return 'own';
  }
  return 'other';
}

function isOfThisMachine(address: string): boolean {
  if (address.startsWith('127.') || address === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((known) => known.address === address));
}

/** Inodes of the UDP sockets bound to one of the ports in the host's network. */
async function udpSockets(ports: ReadonlySet<number>): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/udp', '/proc/net/udp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const port = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
      if (ports.has(port)) inodes.add(columns[9] ?? '');
    }
  }
  return inodes;
}

async function holds(pid: number, inodes: ReadonlySet<string>): Promise<boolean> {
  const dir = `/proc/${pid}/fd`;
  // A process that has ended holds nothing.
  for (const fd of await readdir(dir).catch(() => [])) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`${dir}/${fd}`).catch(() => ''))?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}
