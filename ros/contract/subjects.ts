/** The transports that the contract is held against. */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { installRclnodejs } from '../../test/peers/ros/peer.ts';
import { cycloneTransport } from '../cyclone/index.ts';
import { capabilitiesOn, rclnodejsTransport } from '../rclnodejs/index.ts';
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

/**
 * On the ROS 2 that is sourced, where ROSLET_RCLNODEJS names the directory that rclnodejs is installed in for it; else on the
 * Jazzy of the tests.
 */
async function onRos2(): Promise<Record<string, Subject>> {
  if (!process.env.AMENT_PREFIX_PATH || !process.env.ROSLET_RCLNODEJS) {
    const { env, path } = await installRclnodejs();
    // The libraries read it, and the processes of peers have it from here.
    Object.assign(process.env, env, { ROSLET_RCLNODEJS: path });
  }
  const loaded = await loadRclnodejs({ path: process.env.ROSLET_RCLNODEJS!, env: process.env });
  return {
    rclnodejs: {
      domainId: randomInt(41, 60),
      can: (capability) => capabilitiesOn(process.env.RMW_IMPLEMENTATION ?? '')[capability],
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
