import { describe, expect, it } from 'vitest';
import { discoveryFromEnvironment } from './discovery.ts';
import { type DiscoveryOptions, TransportError } from './transport.ts';

const defaults: DiscoveryOptions = { domainId: 0, range: 'subnet', staticPeers: [], vendorConfig: undefined };

describe('discoveryFromEnvironment', () => {
  it.each<[Record<string, string>, Partial<DiscoveryOptions>]>([
    [{}, {}],
    [{ ROS_DOMAIN_ID: '' }, {}],
    [{ ROS_DOMAIN_ID: '42' }, { domainId: 42 }],
    [{ ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' }, { range: 'localhost' }],
    [{ ROS_AUTOMATIC_DISCOVERY_RANGE: 'off' }, { range: 'off' }],
    [{ ROS_AUTOMATIC_DISCOVERY_RANGE: 'SYSTEM_DEFAULT' }, { range: 'system_default' }],
    [{ ROS_STATIC_PEERS: '192.168.1.7; robot.local;' }, { staticPeers: ['192.168.1.7', 'robot.local'] }],
    [{ ROS_LOCALHOST_ONLY: '1' }, { range: 'localhost' }],
    [{ ROS_LOCALHOST_ONLY: '0', ROS_AUTOMATIC_DISCOVERY_RANGE: 'OFF' }, { range: 'off' }],
    // Humble's variable goes before the newer ones, as in rcl.
    [
      { ROS_LOCALHOST_ONLY: '1', ROS_AUTOMATIC_DISCOVERY_RANGE: 'SUBNET', ROS_STATIC_PEERS: '10.0.0.1' },
      { range: 'localhost' },
    ],
    [{ CYCLONEDDS_URI: 'file:///etc/cyclone.xml' }, { vendorConfig: 'file:///etc/cyclone.xml' }],
  ])('reads %j', (env, wanted) => {
    expect(discoveryFromEnvironment(env)).toEqual({ ...defaults, ...wanted });
  });

  it.each([
    [{ ROS_DOMAIN_ID: '233' }, 'ROS_DOMAIN_ID'],
    [{ ROS_DOMAIN_ID: '-1' }, 'ROS_DOMAIN_ID'],
    [{ ROS_DOMAIN_ID: '1.5' }, 'ROS_DOMAIN_ID'],
    [{ ROS_AUTOMATIC_DISCOVERY_RANGE: 'NEAR' }, 'ROS_AUTOMATIC_DISCOVERY_RANGE'],
  ])('refuses %j and names the variable', (env, variable) => {
    expect(() => discoveryFromEnvironment(env)).toThrow(TransportError);
    expect(() => discoveryFromEnvironment(env)).toThrow(variable);
  });
});
