import type { NetworkInterfaceInfo } from 'node:os';
import { expect, it } from 'vitest';
import { machineAddresses, outwardInterfaces } from './addresses.ts';

const at = (address: string): NetworkInterfaceInfo[] => [
  { address, family: 'IPv4', internal: false, netmask: '', mac: '', cidr: null },
];

it('the machine is found at its own interfaces, not at those of its container engines', () => {
  const all = { docker0: at('172.17.0.1'), 'br-1a2b': at('172.18.0.1'), wlan0: at('192.0.2.7') };
  expect(machineAddresses(outwardInterfaces(all))).toEqual(['192.0.2.7']);
  const { wlan0: _, ...offline } = all;
  expect(machineAddresses(outwardInterfaces(offline))).toEqual(['127.0.0.1']);
});
