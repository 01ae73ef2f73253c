/** The transports that the contract is held against. */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { cycloneTransport } from '../cyclone/index.ts';
import { rclnodejsCapabilities, rclnodejsTransport } from '../rclnodejs/index.ts';
import { loadRclnodejs } from '../rclnodejs/load.ts';
import type { DiscoveryOptions, RosTransport, TransportCapabilities } from '../transport.ts';

interface Subject {
  /** Of the suite alone. */
  domainId: number;
  /** Why it cannot be tried on this machine. */
  unavailable?: string;
  /** Without it cases that are about what it lacks are not run. */
  can(capability: keyof TransportCapabilities): boolean;
  open(discovery: DiscoveryOptions): RosTransport;
}

const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');

const embedded: Record<string, Subject> = {
  cyclone: {
    domainId: 40,
    unavailable: existsSync(addonPath) ? undefined : 'dist/roslet-dds.node is not built',
    can: () => true,
    open: (discovery) => cycloneTransport({ addonPath, discovery, log: silentLogger() }),
  },
};

/** Where the tests run with a ROS 2 sourced and ROSLET_RCLNODEJS naming the directory that rclnodejs is installed in. */
async function onRos2(): Promise<Record<string, Subject>> {
  const { AMENT_PREFIX_PATH, ROSLET_RCLNODEJS: path } = process.env;
  if (!AMENT_PREFIX_PATH || !path) return {};
  const loaded = await loadRclnodejs({ path, env: process.env });
  return {
    rclnodejs: {
      domainId: randomInt(41, 60),
      can: (capability) => rclnodejsCapabilities[capability],
      open: (discovery) => rclnodejsTransport({ ...loaded, discovery, log: silentLogger() }),
    },
  };
}

export const subjects: Readonly<Record<string, Subject>> = { ...embedded, ...(await onRos2()) };

export function subjectOf(name: string): Subject {
  const subject = subjects[name];
  if (subject === undefined) throw new Error(`there is no transport ${name} to test`);
  return subject;
}
