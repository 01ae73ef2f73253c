/**
 * What others may ask for over ROS 2, which knows no users: whoever reaches the domain may call every service. To apply a
 * manifest is to run anything as root, so that is for those who want it so. Pure.
 */
import type { Answer } from '../agent-port.ts';

/** Each allows what those before it do. */
export const accessLevels = ['read', 'control', 'all'] as const;
export type Access = (typeof accessLevels)[number];

/** Undefined when it is allowed. */
export function refusal(access: Access, needed: Access): Answer | undefined {
  if (accessLevels.indexOf(access) >= accessLevels.indexOf(needed)) return undefined;
  const remedy = needed === 'all' ? "'all'" : "'control' or 'all'";
  return {
    success: false,
    message: `not allowed over ROS here: ros.requests is '${access}'; set it to ${remedy} in the configuration, or use the command line on the robot`,
  };
}
