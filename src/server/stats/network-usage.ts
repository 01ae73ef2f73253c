/** What has gone over the interfaces of a network namespace, from /proc/<pid>/net/dev. */
import { readFile, readlink } from 'node:fs/promises';

export interface InterfaceUsage {
  name: string;
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

/** Of the machine itself, loopback left out. */
export const machineNetwork = async (): Promise<InterfaceUsage[]> =>
  parseInterfaces(await readFile('/proc/net/dev', 'utf8'));

/**
 * Of the namespace that one of the processes is in; undefined when all are in the machine's own, or have ended.
 */
export async function networkOf(pids: readonly number[]): Promise<InterfaceUsage[] | undefined> {
  const own = await readlink('/proc/self/ns/net');
  for (const pid of pids) {
    try {
      if ((await readlink(`/proc/${pid}/ns/net`)) === own) continue;
      return parseInterfaces(await readFile(`/proc/${pid}/net/dev`, 'utf8'));
    } catch (err) {
      // It has ended meanwhile; the next may be there.
      if (!['ENOENT', 'ESRCH', 'EINVAL'].includes((err as NodeJS.ErrnoException).code ?? '')) throw err;
    }
  }
  return undefined;
}

/** The name of the interface that the default route leaves by; undefined without one. */
export async function defaultInterface(): Promise<string | undefined> {
  const routes = (await readFile('/proc/net/route', 'utf8')).split('\n').map((line) => line.split('\t'));
  return routes.find(
    ([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000',
  )?.[0];
}

export function parseInterfaces(text: string): InterfaceUsage[] {
  return text.split('\n').flatMap((line) => {
    const [, name, counters] = /^\s*([^:|]+):\s*(\d.*)$/.exec(line) ?? [];
    if (name === undefined || counters === undefined || name === 'lo') return [];
    const numbers = counters.trim().split(/\s+/).map(Number);
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = numbers;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = numbers.slice(8);
    return [{ name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }];
  });
}
