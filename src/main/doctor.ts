/** What `roslet doctor` needs of the configuration and the transports: it takes part in the ROS graph for a moment, as the agent would. */
import { isConfinedToHost } from '../../ros/discovery.ts';
import { TransportError } from '../../ros/transport.ts';
import type { DoctorAccess } from '../cli/doctor.ts';
import { CliError } from '../cli/errors.ts';
import type { RosConfig } from '../config/agent-config.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problems.ts';
import type { RosFacts } from '../doctor/findings.ts';
import { silentLogger } from '../log.ts';
import { discoveryOf } from './ros.ts';
import { chooseTransport } from './ros-transport.ts';

export const doctorAccess: DoctorAccess = {
  async look(configPath) {
    try {
      const { config } = await loadConfig(configPath === undefined ? [] : ['--config', configPath]);
      const criSocket = config.containerRuntimeEndpoint.replace(/^unix:\/\//, '');
      return { criSocket, ros: await lookAtRos(config.ros, process.env) };
    } catch (err) {
      throw err instanceof ConfigError ? new CliError(err.message) : err;
    }
  },
};

async function lookAtRos(
  config: RosConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RosFacts> {
  const { ROS_DISTRO: distro, RMW_IMPLEMENTATION: rmw } = env;
  const facts = {
    isOff: config.transport === 'off',
    usesMulticast: false,
    ...(distro ? { distro } : {}),
    ...(rmw ? { rmw } : {}),
  };
  if (facts.isOff) return facts;
  const { name, open, why } = await chooseTransport(config, env);
  const found = { ...facts, transport: { name, why } };
  try {
    const discovery = discoveryOf(config);
    const usesMulticast = !isConfinedToHost(discovery) && discovery.staticPeers.length === 0;
    const transport = open(discovery, silentLogger());
    const { description } = transport;
    await transport.close();
    return { ...found, usesMulticast, description };
  } catch (err) {
    if (err instanceof TransportError) return { ...found, problem: err.message };
    throw err;
  }
}
