/**
 * Whose participants of the DDS domain are: a pod's own are reached at an address of the pod's network, or on this machine at
 * a UDP port that a process of the pod holds open. The addresses are those that a participant announces, which this is no
 * defence against: who is on the network may announce another's.
 */
import { createSocket } from 'node:dgram';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { RosProbeTarget } from '../prober.ts';
import type { ParticipantInfo } from '../transport.ts';

export type Ownership = 'own' | 'other' | 'unknown';

export interface Judgement {
  /** By prefix, of all that were asked for. */
  owners: ReadonlyMap<string, Ownership>;
  /** Why some are unknown that may be known at another time. */
  problem?: Error;
}

/** What is asked of the machine, by all watches together. */
export interface MachineFacts {
  udpSockets: () => Promise<UdpSockets>;
  isOfThisMachine: (address: string) => Promise<boolean>;
}

/** Inodes of the UDP sockets in the host's network by the port that they are bound to. */
export type UdpSockets = ReadonlyMap<number, readonly string[]>;

export async function judge(
  participants: readonly Pick<ParticipantInfo, 'prefix' | 'locators'>[],
  target: RosProbeTarget,
  { udpSockets, isOfThisMachine }: MachineFacts,
): Promise<Judgement> {
  const owners = new Map<string, Ownership>();
  /** To be told by their ports. */
  const local = new Map<string, ParticipantInfo['locators']>();
  for (const { prefix, locators } of participants) {
    if (locators.length === 0) owners.set(prefix, 'unknown');
    else if (target.addresses.length > 0) {
      const isOwn = locators.some(({ address }) => target.addresses.includes(address));
      owners.set(prefix, isOwn ? 'own' : 'other');
    } else local.set(prefix, locators);
  }
  try {
    await judgeByPorts(local, target, { udpSockets, isOfThisMachine }, owners);
    return { owners };
  } catch (err) {
    for (const prefix of local.keys()) if (!owners.has(prefix)) owners.set(prefix, 'unknown');
    return { owners, problem: err as Error };
  }
}

async function judgeByPorts(
  participants: ReadonlyMap<string, ParticipantInfo['locators']>,
  target: RosProbeTarget,
  { udpSockets, isOfThisMachine }: MachineFacts,
  owners: Map<string, Ownership>,
): Promise<void> {
  const ports = new Map<string, number[]>();
  for (const [prefix, locators] of participants) {
    const here = await portsHere(locators, isOfThisMachine);
    if (here.length === 0) owners.set(prefix, 'other');
    else ports.set(prefix, here);
  }
  if (ports.size === 0) return;
  const [byPort, held] = [await udpSockets(), await heldSockets(await target.pids())];
  for (const [prefix, those] of ports) {
    const isOwn = those.some((port) => byPort.get(port)?.some((inode) => held.has(inode)));
    owners.set(prefix, isOwn ? 'own' : 'other');
  }
}

/** The ports of those that are on this machine. */
async function portsHere(
  locators: ParticipantInfo['locators'],
  isOfThisMachine: MachineFacts['isOfThisMachine'],
): Promise<number[]> {
  const ports: number[] = [];
  for (const { address, port } of locators) if (await isOfThisMachine(address)) ports.push(port);
  return ports;
}

/**
 * Whether this machine has an address, or had it since this was called: a process goes on announcing the one that it began
 * with when the machine gets another.
 */
export function machineAddresses(): MachineFacts['isOfThisMachine'] {
  const had = new Set<string>();
  return async (address) => {
    if (address.startsWith('127.') || address === '::1') return true;
    for (const list of Object.values(networkInterfaces()))
      for (const each of list ?? []) had.add(each.address);
    if (!had.has(address) && (await canBind(address))) had.add(address);
    return had.has(address);
  };
}

/** Node leaves out interfaces without a link. The addresses stay, as when a robot leaves its radio's range. */
export function canBind(address: string): Promise<boolean> {
  const family = isIP(address);
  if (family === 0) return Promise.resolve(false);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  return new Promise<boolean>((resolve, reject) => {
    socket.once('error', (err: NodeJS.ErrnoException) => {
      if (isShortage(err)) reject(err);
      else resolve(false);
    });
    socket.bind({ address, port: 0, exclusive: true }, () => resolve(true));
  }).finally(() => socket.close());
}

const isShortage = ({ code = '' }: NodeJS.ErrnoException): boolean =>
  ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'].includes(code);

/** Reads what the kernel has of UDP sockets. Who asks while that goes on gets what is read next, all of them the same. */
export function udpSocketReader(): () => Promise<UdpSockets> {
  let present: Promise<unknown> = Promise.resolve();
  let next: Promise<UdpSockets> | undefined;
  return () => {
    next ??= present.then(() => {
      next = undefined;
      const reading = readUdpSockets('/proc/net');
      present = reading.catch(() => undefined);
      return reading;
    });
    return next;
  };
}

/** @param dir `net` of a process, of whose network they are */
export async function readUdpSockets(dir: string): Promise<UdpSockets> {
  const byPort = new Map<number, string[]>();
  for (const table of [`${dir}/udp`, `${dir}/udp6`]) {
    // Without IPv6 there is only one.
    const text = await ifThere(readFile(table, 'utf8'), '');
    for (const line of text.split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const port = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
      if (!(port > 0)) continue;
      const inodes = byPort.get(port) ?? [];
      byPort.set(port, inodes);
      inodes.push(columns[9] ?? '');
    }
  }
  return byPort;
}

/** Inodes of the sockets that the processes hold. */
export async function heldSockets(pids: readonly number[]): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  for (const dir of pids.map((pid) => `/proc/${pid}/fd`)) {
    // A process that has ended holds nothing.
    for (const fd of await ifThere(readdir(dir), [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await ifThere(readlink(`${dir}/${fd}`), ''))?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

async function ifThere<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await reading;
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return otherwise;
    throw err;
  }
}
