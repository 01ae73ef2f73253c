/**
 * What containers are told for the sake of ROS 2. Fast DDS takes whoever has the addresses of its own machine for a neighbour
 * and speaks over /dev/shm with it. A pod on the host's network has those, but a /dev/shm of its own: its nodes and those of
 * others would see each other and hear nothing.
 */
import type { Pod } from '../../api/core.gen.ts';
import type { AnyContainer } from '../identity.ts';

const transports = 'FASTDDS_BUILTIN_TRANSPORTS';
/** Whoever sets one of these knows about Fast DDS's transports. The profiles are those of Fast DDS 2 and of 3. */
const ownWishes = [transports, 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'];

/** For a container that defines `envs` itself. */
export function ddsEnv({ spec }: Pod, envs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const isAlone = spec?.hostNetwork === true && spec.hostIPC !== true;
  return new Map(isAlone && !ownWishes.some((name) => envs.has(name)) ? [[transports, 'UDPv4']] : []);
}

/**
 * Why the nodes of a container will be seen by those of other pods and of the machine and not be heard, whatever they are
 * told: rmw_fastrtps brings shared memory along itself where discovery is confined to the machine. With the fix; undefined
 * where that is not so, as far as its environment tells.
 */
export function whyDeaf(spec: Pod['spec'], env: (name: string) => string | undefined): string | undefined {
  if (spec?.hostNetwork !== true || spec.hostIPC === true) return undefined;
  const rmw = env('RMW_IMPLEMENTATION')?.trim() || 'rmw_fastrtps_cpp';
  if (!rmw.startsWith('rmw_fastrtps')) return undefined;
  const local = [
    ['ROS_LOCALHOST_ONLY', '1'],
    ['ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'],
  ].find(([name, value]) => env(name!)?.trim().toUpperCase() === value);
  if (local === undefined) return undefined;
  return (
    `with ${local.join('=')} ROS 2 on Fast DDS speaks over /dev/shm alone, and the pod has one of its own: its nodes and those of others will ` +
    'see each other and hear nothing. Set hostIPC: true, or RMW_IMPLEMENTATION: rmw_cyclonedds_cpp'
  );
}

/** The same by what the manifest says. What a config map, a secret or a field sets is not known there, and nothing is said of it. */
export function whyDeafAsWritten(
  spec: Pod['spec'],
  { env = [], envFrom = [] }: AnyContainer,
): string | undefined {
  return whyDeaf(spec, (name) => {
    const set = env.findLast((each) => each.name === name);
    const isKnown = set === undefined ? envFrom.length === 0 : set.valueFrom === undefined;
    return isKnown ? set?.value : notKnown;
  });
}

/** None of the values that matter. */
const notKnown = '(not known)';
