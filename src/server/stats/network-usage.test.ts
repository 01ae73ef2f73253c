import { expect, it } from 'vitest';
import { networkOf, parseInterfaces } from './network-usage.ts';

it('reads the counters of each interface but loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    9999      99    0    0    0     0          0         0     9999      99    0    0    0     0       0          0
  eth0: 1536 12 1 2 0 0 0 3 4096 21 4 5 0 0 0 0
wlan0:1234567890123 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
`;
  expect(parseInterfaces(text)).toEqual([
    {
      name: 'eth0',
      ...{ rxBytes: 1536, rxPackets: 12, rxErrors: 1, rxDropped: 2 },
      ...{ txBytes: 4096, txPackets: 21, txErrors: 4, txDropped: 5 },
    },
    {
      name: 'wlan0',
      ...{ rxBytes: 1234567890123, rxPackets: 1, rxErrors: 0, rxDropped: 0 },
      ...{ txBytes: 7, txPackets: 1, txErrors: 0, txDropped: 0 },
    },
  ]);
});

it("takes the machine's own namespace, and processes that have ended, for none", async () => {
  expect(await networkOf([process.pid, 2 ** 22 + 1])).toBeUndefined();
});
