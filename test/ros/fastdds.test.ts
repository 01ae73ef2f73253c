/** The embedded transport and Fast DDS, as rmw_fastrtps uses it, on one domain: what neither side says of itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../ros/contract/harness.ts';
import { latched, type Text, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import type { RosTransport, ServiceType, WatchEvent } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { type FastddsPeer, fastddsPeerProgram, startFastddsPeer } from './fastdds-peer.ts';

/** Of this file alone: Fast DDS has no domain tags. */
const domainId = 41;
const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');
const textTypeName = 'std_msgs::msg::dds_::String_';
const echoTypeName = 'roslet_test::srv::dds_::Echo';
/** Has one string each way, as the peer has; no distribution knows it. */
const echoType: ServiceType<Text, Text> = {
  name: 'roslet_test/srv/Echo',
  typeHash: `RIHS01_${'ab'.repeat(32)}`,
  request: textType,
  response: textType,
};
const limitMs = 30_000;

let transport: RosTransport;
let program: string;
const peers: FastddsPeer[] = [];

beforeEach((context) => {
  const found = fastddsPeerProgram();
  if (found === undefined) context.skip('libfastrtps-dev is not installed');
  if (!existsSync(addonPath)) context.skip('dist/roslet-dds.node is not built');
  program = found!;
  transport = cycloneTransport({
    addonPath,
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
});

afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
  await transport?.close();
});

function peer(...args: string[]): FastddsPeer {
  const started = startFastddsPeer(program, domainId, ...args);
  peers.push(started);
  return started;
}

it('reads our latched status as a late joiner', async () => {
  transport
    .createNode('status', '/robot')
    .createPublisher('/status', textType, latched)
    .publish({ data: 'fine' });
  const reader = peer('subscribe', 'rt/status', textTypeName);
  await until(() => reader.lines.includes('received fine'));
});

it('is heard, and missed when it falls silent', async () => {
  const told: WatchEvent[] = [];
  const heard: string[] = [];
  transport
    .createNode('listener', '/')
    .createSubscription('/beat', textType, latched, ({ data }) => heard.push(data));
  const watch = transport.watchTopic('/beat', { maxSilenceMs: 1000 }, (event) => told.push(event));
  const writer = peer('publish', 'rt/beat', textTypeName, 'beat', '50');
  await until(() => heard.includes('beat') && watch.stats().samples > 0);
  const fromHere = told.length;
  writer.signal('SIGSTOP');
  await until(() => told.slice(fromHere).some(({ event }) => event === 'silent'));
  writer.signal('SIGCONT');
  await until(() => told.slice(fromHere).some(({ event }) => event === 'heard'));
});

it('gets an answer to each of its calls', async () => {
  transport
    .createNode('server', '/')
    .createService('/ours', echoType, ({ data }) => ({ data: `roslet: ${data}` }));
  const client = peer('call', '/ours', echoTypeName, '5');
  await until(() => client.lines.length === 5);
  expect(client.lines).toEqual([1, 2, 3, 4, 5].map((i) => `answer ${i} roslet: request ${i}`));
});

it('answers each of our calls', async () => {
  peer('serve', '/theirs', echoTypeName);
  const client = transport.createNode('client', '/').createClient('/theirs', echoType);
  for (const data of ['a', 'b', 'c']) {
    expect(await client.call({ data }, AbortSignal.timeout(limitMs))).toEqual({ data: `fastdds: ${data}` });
  }
});

it('is served beside a client of Cyclone DDS', async () => {
  const node = transport.createNode('both', '/');
  node.createService('/shared', echoType, ({ data }) => ({ data: `roslet: ${data}` }));
  const theirs = peer('call', '/shared', echoTypeName, '3');
  const ours = node.createClient('/shared', echoType);
  for (let i = 0; i < 10; i++) {
    const data = `ours ${i}`;
    expect(await ours.call({ data }, AbortSignal.timeout(limitMs))).toEqual({ data: `roslet: ${data}` });
  }
  await until(() => theirs.lines.length === 3);
  expect(theirs.lines).toEqual([1, 2, 3].map((i) => `answer ${i} roslet: request ${i}`));
});

it('tells which process it is, by properties and locators', async () => {
  const writer = peer('publish', 'rt/beat', textTypeName, 'beat', '50');
  const participant = await until(() =>
    transport.graph
      .participants()
      .find(({ properties }) => properties['fastdds.physical_data.process'] === String(writer.pid)),
  );
  expect(participant).toMatchObject({ enclave: '/' });
  expect(participant.prefix.startsWith('010f')).toBe(true);
  expect(participant.locators.length).toBeGreaterThan(0);
});
