/**
 * What anybody on the network can send to the ports of a participant: noise, broken RTPS, participants and endpoints that
 * are well formed and mean harm. The transport goes on, and forgets them when their leases are over.
 */
import { createSocket, type Socket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../ros/contract/harness.ts';
import { echoType, latched, reliable, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import type { RosTransport } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { brokenPackets, gaps, noise } from './hostile-packets.ts';

/** Of this file alone. */
const domainId = 43;
/** RTPS: discovery by multicast, and the first participant's discovery and data. */
const ports = [0, 10, 11].map((offset) => 7400 + 250 * domainId + offset);
const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');

const open = (): RosTransport =>
  cycloneTransport({
    addonPath,
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });

let transport: RosTransport;
let socket: Socket;

beforeEach((context) => {
  if (!existsSync(addonPath)) context.skip('dist/roslet-dds.node is not built');
  transport = open();
  socket = createSocket('udp4');
});

afterEach(async () => {
  socket?.close();
  await transport?.close();
});

it('outlives noise and hostile discovery data', async () => {
  const node = transport.createNode('victim', '/');
  const heard: string[] = [];
  node.createSubscription('/beat', textType, reliable, ({ data }) => heard.push(data));
  const publisher = node.createPublisher('/beat', textType, reliable);
  const watch = transport.watchTopic('/beat', { maxSilenceMs: 50 }, () => undefined);
  let most = 0;
  for (const packet of fc.sample(noise, 5000)) {
    for (const port of ports) socket.send(packet, port, '127.0.0.1');
    // The victim's turn.
    await sleep(1);
    most = Math.max(most, transport.graph.participants().length);
  }
  // Without one that got through the case would show nothing.
  expect(most).toBeGreaterThan(1);
  publisher.publish({ data: 'still here' });
  await until(() => heard.includes('still here'));
  const other = open();
  const beating = other.createNode('other', '/').createPublisher('/beat', textType, reliable);
  await until(() => {
    beating.publish({ data: 'still there' });
    return watch.stats().samples > 0;
  });
  await other.close();
  await until(() => transport.graph.participants().length === 1);
  expect(transport.graph.nodes().map(({ name }) => name)).toEqual(['victim']);
});

it('outlives what is broken in every kind of submessage, sent to endpoints of its own', async () => {
  const node = transport.createNode('victim', '/');
  const heard: string[] = [];
  node.createSubscription('/beat', textType, reliable, ({ data }) => heard.push(data));
  const publisher = node.createPublisher('/beat', textType, reliable);
  node.createPublisher('/latched', textType, latched).publish({ data: 'for late joiners' });
  node.createService('/echo', echoType, (request) => request);
  const client = node.createClient('/echo', echoType);
  transport.watchTopic('/beat', { maxSilenceMs: 50, livelinessLeaseMs: 1000 }, () => undefined);
  await until(() => client.isReady);
  const own = transport.graph.endpoints().filter(({ gid }) => gid.startsWith(transport.prefix));
  const victim = { prefix: transport.prefix, entities: own.map(({ gid }) => gid.slice(24)) };
  const seed = Number(process.env.ROSLET_SEED ?? 1);
  let most = 0;
  for (const packet of fc.sample(brokenPackets(victim), { numRuns: 5000, seed })) {
    for (const port of ports) socket.send(packet, port, '127.0.0.1');
    await sleep(1);
    most = Math.max(most, transport.graph.endpoints().length);
  }
  // Without endpoints that got through the case would show little.
  expect(most).toBeGreaterThan(own.length);
  publisher.publish({ data: 'still here' });
  await until(() => heard.includes('still here'));
  expect(await client.call({ data: 'x' }, AbortSignal.timeout(10_000))).toEqual({ data: 'x' });
});

it('keeps little of what comes in between for those who never tell what comes before', async () => {
  const rssMb = () => process.memoryUsage.rss() / 2 ** 20;
  const beforeMb = rssMb();
  for (const packet of gaps(100)) {
    socket.send(packet, ports[1], '127.0.0.1');
    await sleep(1);
  }
  await until(() => transport.graph.participants().length === 2);
  // A megabyte was received for each of those that are kept: in the library's own buffers that is more than 50 MB.
  expect(rssMb() - beforeMb).toBeLessThan(35);
});
