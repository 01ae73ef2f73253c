import { describe, expect, it } from 'vitest';
import type { DiscoveryOptions } from '../transport.ts';
import { cycloneConfig } from './config.ts';

const subnet: DiscoveryOptions = { domainId: 0, range: 'subnet', staticPeers: [] };
const multicastOff = '<AllowMulticast>false</AllowMulticast>';

describe('cycloneConfig', () => {
  it.each<[string, Partial<DiscoveryOptions>, string[], string[]]>([
    ['a subnet', {}, ['<SPDPInterval>1000 ms</SPDPInterval>'], [multicastOff, '<Peers>', '<Tag>']],
    [
      'localhost',
      { range: 'localhost' },
      [multicastOff, '<Peers><Peer address="localhost"/></Peers>', '<SPDPInterval>1000 ms</SPDPInterval>'],
      ['<Tag>'],
    ],
    [
      'localhost with peers',
      { range: 'localhost', staticPeers: ['10.0.0.1'] },
      ['<Peers><Peer address="10.0.0.1"/><Peer address="localhost"/></Peers>'],
      [],
    ],
    [
      'a subnet with peers',
      { staticPeers: ['10.0.0.1', 'robot.local'] },
      ['<Peers><Peer address="10.0.0.1"/><Peer address="robot.local"/></Peers>'],
      [multicastOff],
    ],
    [
      'nobody',
      { range: 'off', staticPeers: ['10.0.0.1'] },
      [multicastOff, '<Tag>only-me</Tag>'],
      ['<Peers>'],
    ],
    ['a lease of its own', { participantLeaseMs: 500 }, ['<LeaseDuration>500 ms</LeaseDuration>'], []],
    [
      'a peer that is no address',
      { staticPeers: ['"/><Tracing a="<&'] },
      ['<Peer address="&#34;/&#62;&#60;Tracing a=&#34;&#60;&#38;"/>'],
      ['<Tracing'],
    ],
  ])('writes what discovery of %s needs', (_what, options, wanted, unwanted) => {
    const config = cycloneConfig({ ...subnet, ...options }, 'only-me');
    for (const text of wanted) expect(config).toContain(text);
    for (const text of unwanted) expect(config).not.toContain(text);
  });

  it("puts the user's configuration last, where it wins", () => {
    const config = cycloneConfig({ ...subnet, vendorConfig: 'file:///etc/cyclone.xml' }, '');
    expect(config).toMatch(/<\/CycloneDDS>,file:\/\/\/etc\/cyclone\.xml$/);
  });
});
