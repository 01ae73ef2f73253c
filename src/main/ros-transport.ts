/** Which transport the bridge runs on, and why: for the agent, and for `roslet doctor`. Loads only the one that is chosen. */
import { rmwProblem, securityProblem } from '../../ros/cyclone/unsupported.ts';
import { type DiscoveryOptions, type RosTransport, TransportError } from '../../ros/transport.ts';
import type { RosConfig } from '../config/agent-config.ts';
import type { Logger } from '../log.ts';
import { program } from '../programs.ts';

export interface ChosenTransport {
  name: 'cyclone' | 'rclnodejs';
  /** As the rest of a sentence: "because …". */
  why: string;
  /** @throws TransportError */
  open(discovery: DiscoveryOptions, log: Logger): RosTransport;
}

export async function chooseTransport(
  { rclnodejsPath, transport }: Pick<RosConfig, 'transport' | 'rclnodejsPath'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ChosenTransport> {
  if (transport === 'cyclone') return cyclone('ros.transport says so', securityProblem(env));
  // That it speaks DDS is nobody's choice here: what is said on another RMW would be taken for silence.
  const problem = securityProblem(env) ?? rmwProblem(env);
  // Nothing of it is read where there can be none.
  if (transport === 'auto' && !env.AMENT_PREFIX_PATH) return cyclone('no ROS 2 is sourced', problem);
  const { loadRclnodejs } = await import('../../ros/rclnodejs/load.ts');
  try {
    const loaded = await loadRclnodejs({
      env,
      ...(rclnodejsPath === undefined ? {} : { path: rclnodejsPath }),
    });
    const { rclnodejsTransport } = await import('../../ros/rclnodejs/index.ts');
    return {
      name: 'rclnodejs',
      why: transport === 'auto' ? 'a ROS 2 is sourced and rclnodejs is there' : 'ros.transport says so',
      open: (discovery, log) => rclnodejsTransport({ ...loaded, discovery, log }),
    };
  } catch (err) {
    if (!(err instanceof TransportError)) throw err;
    if (transport === 'auto') return cyclone(err.message, problem);
    const open = (): never => {
      throw err;
    };
    return { name: 'rclnodejs', why: 'ros.transport says so', open };
  }
}

/** `problem`: why it would not be what is wanted. */
async function cyclone(why: string, problem: string | undefined): Promise<ChosenTransport> {
  if (problem !== undefined) {
    const fix = 'let the bridge run on rclnodejs (docs/ros.md), or start the agent without that variable';
    const open = (): never => {
      throw new TransportError(`${problem}: ${fix}`, false);
    };
    return { name: 'cyclone', why, open };
  }
  const { cycloneTransport } = await import('../../ros/cyclone/index.ts');
  const addonPath = program('roslet-dds.node');
  return { name: 'cyclone', why, open: (discovery, log) => cycloneTransport({ addonPath, discovery, log }) };
}
