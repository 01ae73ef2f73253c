/** What the environment asks of ROS 2 and this transport cannot do: it would be among others than those that are meant. */

type Environment = Readonly<Record<string, string | undefined>>;

/** SROS2, switched on as rcl reads it. Whether it is enforced is no matter: what is secured elsewhere is not said in the clear. */
export const securityProblem = ({ ROS_SECURITY_ENABLE: enabled }: Environment): string | undefined =>
  enabled === 'true'
    ? 'ROS_SECURITY_ENABLE is true, and the embedded transport has no SROS2 and does not speak in the clear instead'
    : undefined;

/** Others than DDS. */
export const rmwProblem = ({ RMW_IMPLEMENTATION: rmw }: Environment): string | undefined =>
  rmw !== undefined && /^rmw_zenoh/.test(rmw)
    ? `RMW_IMPLEMENTATION is ${rmw}, and the embedded transport speaks DDS alone`
    : undefined;
