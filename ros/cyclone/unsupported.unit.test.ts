import { describe, expect, it } from 'vitest';
import { rmwProblem, securityProblem } from './unsupported.ts';

describe('what the embedded transport cannot do', () => {
  it.each([
    [{ ROS_SECURITY_ENABLE: 'true' }, true],
    [{ ROS_SECURITY_ENABLE: 'true', ROS_SECURITY_STRATEGY: 'Permissive' }, true],
    // rcl knows no other word for it.
    [{ ROS_SECURITY_ENABLE: 'True' }, false],
    [{ ROS_SECURITY_ENABLE: 'false', ROS_SECURITY_KEYSTORE: '/keys' }, false],
    [{}, false],
  ])('of security in %j: %s', (env, isProblem) => {
    expect(securityProblem(env)?.startsWith('ROS_SECURITY_ENABLE is true') ?? false).toBe(isProblem);
  });

  it.each([
    ['rmw_zenoh_cpp', true],
    ['rmw_fastrtps_cpp', false],
    ['rmw_cyclonedds_cpp', false],
    ['rmw_connextdds', false],
    ['', false],
    [undefined, false],
  ])('of %s: %s', (rmw, isProblem) => {
    expect(rmwProblem({ RMW_IMPLEMENTATION: rmw })?.startsWith('RMW_IMPLEMENTATION is') ?? false).toBe(
      isProblem,
    );
  });
});
