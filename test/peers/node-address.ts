/**
 * An address for a node on this machine: the Go kubelet refuses one on the loopback interface. It is that of a bridge
 * without ports, so nothing that is sent to it leaves the machine.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

export interface NodeAddress {
  readonly ip: string;
  remove(): void;
}

/** Free at such an address. Some of the end-to-end tests of Kubernetes know no other port of a kubelet. */
export const kubeletPort = 10250;

const prefix = 'roslet-';

export function nodeAddress(): NodeAddress {
  removeAbandoned();
  const name = freeName();
  const ip = freeIp();
  const run = (...args: string[]) => execFileSync('ip', args);
  run('link', 'add', name, 'type', 'bridge');
  const remove = () => void run('link', 'delete', name);
  try {
    run('address', 'add', `${ip}/32`, 'dev', name);
    run('link', 'set', name, 'up');
  } catch (error) {
    remove();
    throw error;
  }
  return { ip, remove };
}

const interfaces = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(prefix));

/** Of test runs that no longer live: the name says whose it is. */
function removeAbandoned(): void {
  for (const name of interfaces()) {
    const [, pid] = /^roslet-([0-9a-z]+)-\d$/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${Number.parseInt(pid, 36)}`)) {
      execFileSync('ip', ['link', 'delete', name]);
    }
  }
}

/** An interface's name has at most 15 characters. */
function freeName(): string {
  const taken = interfaces();
  for (let i = 0; i < 10; i++) {
    const name = `${prefix}${process.pid.toString(36)}-${i}`;
    if (!taken.includes(name)) return name;
  }
  throw new Error('this process has ten node addresses already');
}

function freeIp(): string {
  const used = new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((address) => address?.address),
  );
  for (;;) {
    const ip = `10.87.${Math.floor(Math.random() * 256)}.${1 + Math.floor(Math.random() * 254)}`;
    if (!used.has(ip)) return ip;
  }
}
