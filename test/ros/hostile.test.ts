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
import { reliable, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import type { RosTransport } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';

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
  for (const packet of fc.sample(packets, 5000)) {
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

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
/** Of Fast DDS, a few of them again and again. */
const prefix = fc
  .integer({ min: 0, max: 50 })
  .map((i) => Buffer.from(`010f${'00'.repeat(9)}${hex(i)}`, 'hex'));
const evilText = fc.oneof(
  fc.constantFrom('rt/beat', 'rq/Request', 'std_msgs::msg::dds_::String_', '', 'rt/a\0b', 'x'.repeat(3000)),
  fc.string(),
);
const textParameter = (id: number) => evilText.map((text) => parameter(id, cdrString(text)));
const userData = fc
  .tuple(bytes(300), fc.option(fc.nat(5000), { freq: 9 }))
  .map(([content, length]) => parameter(0x2c, Buffer.concat([uint32(length ?? content.length), content])));

const participant = fc
  .tuple(prefix, fc.integer({ min: 1, max: 2 }), userData, fc.nat(1000))
  .map(([prefix, leaseSeconds, data, sequence]) =>
    message(prefix, '000100c7', '000100c2', sequence, [
      parameter(0x15, Buffer.from('02030000', 'hex')),
      parameter(0x16, Buffer.from('010f0000', 'hex')),
      parameter(0x50, Buffer.concat([prefix, Buffer.from('000001c1', 'hex')])),
      parameter(0x58, uint32(0x3f)),
      parameter(0x02, Buffer.concat([uint32(leaseSeconds), uint32(0)])),
      parameter(0x31, locator(40_000)),
      parameter(0x32, locator(40_001)),
      data,
    ]),
  );
const publication = fc
  .tuple(
    prefix,
    fc.constantFrom('00000103', '00000102', '000003c2'),
    textParameter(0x05),
    textParameter(0x07),
    userData,
    fc.nat(20),
  )
  .map(([prefix, entity, topic, type, data, sequence]) =>
    message(prefix, '000003c7', '000003c2', sequence, [
      parameter(0x50, Buffer.concat([prefix, Buffer.from('000001c1', 'hex')])),
      parameter(0x5a, Buffer.concat([prefix, Buffer.from(entity, 'hex')])),
      topic,
      type,
      data,
    ]),
  );
const anySubmessage = fc
  .tuple(prefix, fc.nat(255), fc.nat(255), bytes(200))
  .map(([prefix, id, flags, body]) => Buffer.concat([header(prefix), submessage(id, flags, body)]));
/** Not of participants: one might get a lease of years. */
const flipped = fc.tuple(publication, fc.nat(), fc.nat(7)).map(([packet, at, bit]) => {
  packet[at % packet.length]! ^= 1 << bit;
  return packet;
});
const packets = fc.oneof(participant, publication, flipped, anySubmessage, bytes(1400));

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function locator(port: number): Buffer {
  return Buffer.concat([uint32(1), uint32(port), Buffer.alloc(12), Buffer.from([127, 0, 0, 1])]);
}

function cdrString(text: string): Buffer {
  const content = Buffer.from(`${text}\0`);
  return Buffer.concat([uint32(content.length), content]);
}

function parameter(id: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  const padding = Buffer.alloc((4 - (value.length % 4)) % 4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(value.length + padding.length, 2);
  return Buffer.concat([head, value, padding]);
}

function header(prefix: Buffer): Buffer {
  return Buffer.concat([Buffer.from('RTPS'), Buffer.from('0203010f', 'hex'), prefix]);
}

function submessage(id: number, flags: number, body: Uint8Array): Buffer {
  const head = Buffer.from([id, flags, 0, 0]);
  head.writeUInt16LE(body.length, 2);
  return Buffer.concat([head, body]);
}

/** DATA with a parameter list. */
function message(
  prefix: Buffer,
  reader: string,
  writer: string,
  sequence: number,
  parameters: Buffer[],
): Buffer {
  const fixed = Buffer.from(`00001000${reader}${writer}0000000000000000`, 'hex');
  fixed.writeUInt32LE(sequence, 16);
  const list = [Buffer.from('00030000', 'hex'), ...parameters, parameter(0x01, Buffer.alloc(0))];
  return Buffer.concat([header(prefix), submessage(0x15, 0x05, Buffer.concat([fixed, ...list]))]);
}
