/** The transports that the contract is held against. */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { installRclnodejs } from '../../test/peers/ros/peer.ts';
import { cycloneTransport } from '../cyclone/index.ts';
import type { RclNode, Rclnodejs } from '../rclnodejs/api.ts';
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
  const domainId = randomInt(41, 60);
  return {
    rclnodejs: {
      domainId,
      can: (capability) => capabilitiesOn(process.env.RMW_IMPLEMENTATION ?? '')[capability],
      open: (discovery) => rclnodejsTransport({ ...loaded, discovery, log: silentLogger() }),
    },
    [likeZenoh]: {
      domainId,
      can: (capability) => capabilitiesOn('rmw_zenoh_cpp')[capability],
      open: (discovery) =>
        rclnodejsTransport({
          ...loaded,
          rclnodejs: naming(loaded.rclnodejs, 'rmw_zenoh_cpp'),
          discovery,
          log: silentLogger(),
        }),
    },
  };
}

/** rclnodejs on an RMW that says it is zenoh, of which it can be told which nodes there are and what they serve. */
export const likeZenoh = 'rclnodejs, as on zenoh';

function naming(rclnodejs: Rclnodejs, rmw: string): Rclnodejs {
  const named = (...args: ConstructorParameters<Rclnodejs['Node']>): RclNode =>
    Object.assign(new rclnodejs.Node(...args), { getRMWImplementationIdentifier: () => rmw });
  const Node = new Proxy(rclnodejs.Node, {
    construct: (_Node, args) => named(...(args as Parameters<typeof named>)),
  });
  return new Proxy(rclnodejs, { get: (all, name) => (name === 'Node' ? Node : Reflect.get(all, name)) });
}

const all: Readonly<Record<string, Subject>> = { ...embedded, ...(await onRos2()) };

/** The whole contract is held against these. */
export const subjects = Object.fromEntries(Object.entries(all).filter(([name]) => name !== likeZenoh));

export function subjectOf(name: string): Subject {
  const subject = all[name];
  if (subject === undefined) throw new Error(`there is no transport ${name} to test`);
  return subject;
}
