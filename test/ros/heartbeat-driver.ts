/** A pod that publishes its own heartbeat by `roslet ros pub` and is held to it. */
import { join } from 'node:path';
import type { Pod } from '../../src/api/core.gen.ts';

const roslet = join(import.meta.dirname, '..', '..', 'bin', 'roslet');

/** The command that publishes 20 times a second. @param options more of `roslet ros pub` */
export const publishing = (topic: string, domainId: number, options = ''): string =>
  `env ROS_DOMAIN_ID=${domainId} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ${roslet} ros pub ${topic} --type std_msgs/msg/Empty --rate 20 ${options}`;

/** Pod `driver` of one host process. @param rest of its container, such as the probes: lines of YAML from the left edge */
export const driverPod = (command: string, rest: string): string => `apiVersion: v1
kind: Pod
metadata: {name: driver}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: none
    command: [sh, -c, ${JSON.stringify(command)}]
${rest.replaceAll(/^(?=.)/gm, '    ')}`;

export const restarts = (pod: Pod | undefined): number =>
  pod?.status?.containerStatuses?.[0]?.restartCount ?? -1;
