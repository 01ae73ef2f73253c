/**
 * What containers are told for the sake of ROS 2. Fast DDS takes whoever has the addresses of its own machine for a neighbour
 * and speaks over /dev/shm with it. A pod on the host's network has those, but a /dev/shm of its own: its nodes and those of
 * others would see each other and hear nothing.
 */
import type { Pod } from '../api/core.gen.ts';

const transports = 'FASTDDS_BUILTIN_TRANSPORTS';
/** Whoever sets one of these knows about Fast DDS's transports. The profiles are those of Fast DDS 2 and of 3. */
const ownWishes = [transports, 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'];

/** For a container that defines `envs` itself. */
export function ddsEnv({ spec }: Pod, envs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const isAlone = spec?.hostNetwork === true && spec.hostIPC !== true;
  return new Map(isAlone && !ownWishes.some((name) => envs.has(name)) ? [[transports, 'UDPv4']] : []);
}
