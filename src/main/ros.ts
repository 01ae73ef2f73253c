/** The ROS 2 side: the bridge of an agent, and what the command line sees of the graph. Loaded only where it is used. */
import type { BridgeAgent } from '../../ros/agent-port.ts';
import type { Bridge } from '../../ros/bridge.ts';
import { rmwProblem, securityProblem } from '../../ros/cyclone/unsupported.ts';
import { discoveryFromEnvironment, isConfinedToHost } from '../../ros/discovery.ts';
import type { BridgeProber } from '../../ros/probes/prober.ts';
import { type DiscoveryOptions, TransportError } from '../../ros/transport.ts';
import { CliError } from '../cli/errors.ts';
import type { RosAccess } from '../cli/ros.ts';
import type { RosConfig } from '../config/agent-config.ts';
import type { EventRecorder } from '../events.ts';
import { createLogger, type Logger } from '../log.ts';
import { program } from '../programs.ts';
import { chooseTransport } from './ros-transport.ts';

/** @throws TransportError where the environment is wrong about it */
export function discoveryOf({ domainId, discoveryRange, staticPeers }: RosConfig): DiscoveryOptions {
  return {
    ...discoveryFromEnvironment(
      domainId === undefined ? process.env : { ...process.env, ROS_DOMAIN_ID: `${domainId}` },
    ),
    ...(discoveryRange === undefined ? {} : { range: discoveryRange }),
    ...(staticPeers === undefined ? {} : { staticPeers }),
  };
}

/** Undefined where the environment is wrong about it, which the bridge tells. */
export function rosDomain(config: RosConfig): number | undefined {
  try {
    return discoveryOf(config).domainId;
  } catch (err) {
    if (err instanceof TransportError) return undefined;
    throw err;
  }
}

/** Undefined, and nothing is loaded, where the bridge is off. */
export async function rosBridge(
  config: RosConfig,
  o: {
    agent(): BridgeAgent;
    prober: BridgeProber;
    events: EventRecorder;
    nodeName: string;
    /** Of this machine; undefined without a network. */
    address(): string | undefined;
    log: Logger;
  },
): Promise<Bridge | undefined> {
  if (config.transport === 'off') return undefined;
  const { createBridge } = await import('../../ros/bridge.ts');
  const { watchOn } = await import('../../ros/probes/kinds.ts');
  const { canBind, machineAddresses } = await import('../../ros/probes/ownership.ts');
  const { log } = o;
  const chosen = await chooseTransport(config, process.env);
  log.info({ transport: chosen.name }, `ROS 2 goes over ${chosen.name}, because ${chosen.why}`);
  const discovery = () => discoveryOf(config);
  const isConfined = (): boolean => {
    try {
      return isConfinedToHost(discovery());
    } catch (err) {
      // That it is wrong is told when the transport is opened.
      if (err instanceof TransportError) return true;
      throw err;
    }
  };
  // For the whole life of the agent: what the machine had when a pod began is known after it got another address.
  const isOfThisMachine = machineAddresses();
  return createBridge({
    agent: o.agent,
    robotName: config.robotName,
    diagnosticsPeriodMs: config.diagnosticsPeriodMs,
    openTransport: () => chosen.open(discovery(), log),
    access: () => {
      if (config.requests !== 'auto') return config.requests;
      // How far another RMW goes is told by its own configuration, which nobody here reads.
      return chosen.name === 'cyclone' && isConfined() ? 'all' : 'control';
    },
    // What does not leave this machine has no matter with its network.
    address: () => (isConfined() ? undefined : o.address()),
    hasAddress: canBind,
    onTransport: (transport, node) => o.prober.attach(watchOn({ transport, node, log, isOfThisMachine })),
    onProblem: (message) => {
      const about = { kind: 'Node' as const, namespace: '', name: o.nodeName, uid: o.nodeName };
      o.events.event(about, 'Warning', 'RosBridgeUnavailable', message);
      o.prober.detach(message);
    },
    onEnd: () => o.prober.close(),
    log,
  });
}

/** For the command line, which takes part in the ROS graph as a process of its own. */
export const ros: RosAccess = {
  async open() {
    const problem = securityProblem(process.env) ?? rmwProblem(process.env);
    if (problem !== undefined)
      throw new CliError(`${problem}: use ros2, or unset that variable to look at what is said without it`);
    const { cycloneTransport } = await import('../../ros/cyclone/index.ts');
    const log = createLogger({ format: 'auto', level: 'info' });
    try {
      const discovery = discoveryFromEnvironment(process.env);
      return cycloneTransport({ addonPath: program('roslet-dds.node'), discovery, log });
    } catch (err) {
      throw err instanceof TransportError ? new CliError(err.message) : err;
    }
  },
  async messageType(name) {
    const { findMessageType, UnknownTypeError } = await import('../../ros/messages/installed.ts');
    try {
      return await findMessageType(name, (process.env.AMENT_PREFIX_PATH ?? '').split(':').filter(Boolean));
    } catch (err) {
      throw err instanceof UnknownTypeError ? new CliError(err.message) : err;
    }
  },
};
