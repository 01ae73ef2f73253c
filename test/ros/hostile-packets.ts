/** RTPS as nobody well-meaning sends it: what anybody on the network can send to the ports of a participant. */
import fc from 'fast-check';

/** To whom it is sent, so that packets name endpoints that are there. */
export interface Victim {
  /** 24 hex digits. */
  prefix: string;
  /** Of endpoints, 8 hex digits each. */
  entities: readonly string[];
}

type Bytes = fc.Arbitrary<Buffer>;

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

/** Noise, and participants and endpoints that are well formed; all of them have leases that end soon. */
export const noise: Bytes = fc
  .oneof(participant, publication, flipped, anySubmessage, bytes(1400))
  .map(Buffer.from);

/** Submessages of each kind, right but for what they say, or not even that; of participants that may stay for years. */
export function brokenPackets({ prefix: victim, entities }: Victim): Bytes {
  const entity = fc
    .constantFrom(
      ...entities,
      ...['000100c2', '000100c7', '000003c2', '000003c7', '000004c2', '000004c7', '000200c2', '000200c7'],
      ...['00000103', '00000104', '00000102', '00000107', '00000000', '000001c1', '000300c3', '000300c4'],
    )
    .map((id) => Buffer.from(id, 'hex'));
  const number = fc.oneof(
    { weight: 2, arbitrary: fc.nat(40) },
    fc.constantFrom(255, 256, 257, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  );
  const word = number.map(uint32);
  const half = number.map((value) => uint32(value).subarray(0, 2));
  const sequence = fc
    .tuple(fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, number), number)
    .map(([high, low]) => Buffer.concat([uint32(high), uint32(low)]));
  const set = (base: Bytes) =>
    fc
      .tuple(
        base,
        fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, number),
        fc.option(fc.nat(12), { freq: 3 }),
      )
      .chain(([from, bits, words]) =>
        fc
          .uint8Array({ minLength: 0, maxLength: 4 * (words ?? Math.min(Math.ceil(bits / 32), 16)) })
          .map((bitmap) => Buffer.concat([from, uint32(bits), bitmap])),
      );
  const parameterId = fc.constantFrom(
    ...[0x00, 0x02, 0x04, 0x05, 0x06, 0x07, 0x0f, 0x15, 0x16, 0x1a, 0x1b, 0x1d, 0x1e, 0x1f, 0x21, 0x23, 0x25],
    ...[0x29, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x40, 0x43, 0x48, 0x49, 0x50],
    ...[0x52, 0x58, 0x59, 0x5a, 0x60, 0x62, 0x63, 0x70, 0x71, 0x73, 0x75, 0x77, 0x83, 0x800f, 0x8007, 0x8016],
    ...[0x3f01, 0x4014, 0x7f01, 0x8019, 0x801b, 0xc01a, 0xffff, 0x01],
  );
  const value: Bytes = fc.oneof(
    bytes(64).map(Buffer.from),
    fc.array(word, { maxLength: 8 }).map((words) => Buffer.concat(words)),
    evilText.map(cdrString),
    fc
      .tuple(word, fc.array(evilText.map(cdrString), { maxLength: 4 }))
      .map(([n, all]) => Buffer.concat([n, ...all])),
    fc.constantFrom(7410, 7411, 40_000, 0, 70_000).map(locator),
    prefix.map((id) => Buffer.concat([id, Buffer.from('00000103', 'hex')])),
  );
  const evilParameter = fc
    .tuple(parameterId, value, fc.option(half, { freq: 6 }))
    .map(([id, content, length]) => {
      const whole = parameter(id, content);
      length?.copy(whole, 2);
      return whole;
    });
  const list = (parameters: Bytes[]) =>
    fc
      .tuple(fc.array(evilParameter, { maxLength: 4 }), fc.tuple(...parameters), fc.boolean())
      .map(([evil, good, hasEnd]) =>
        Buffer.concat([...good, ...evil, ...(hasEnd ? [parameter(0x01, Buffer.alloc(0))] : [])]),
      );
  const guid = (id: string) =>
    prefix.map((of) =>
      parameter(id.endsWith('c1') ? 0x50 : 0x5a, Buffer.concat([of, Buffer.from(id, 'hex')])),
    );
  const reliable = fc
    .constantFrom(1, 2)
    .map((kind) => parameter(0x1a, Buffer.concat([uint32(kind), uint32(0), uint32(0)])));
  const matching = [
    fc.constant(parameter(0x05, cdrString('rt/beat'))),
    fc.constant(parameter(0x07, cdrString('std_msgs::msg::dds_::String_'))),
    reliable,
  ];
  const payload = fc
    .tuple(
      fc.constantFrom('00030000', '00020000', '00010000', '00000000', '0006ffff'),
      fc.oneof(
        list([guid('000001c1'), prefix.map(() => parameter(0x31, locator(40_000)))]),
        list([guid('00000103'), ...matching]),
        list([guid('00000104'), ...matching]),
        bytes(300).map(Buffer.from),
      ),
    )
    .map(([encoding, content]) => Buffer.concat([Buffer.from(encoding, 'hex'), content]));
  const ends = fc.tuple(entity, entity).map((both) => Buffer.concat(both));
  const toInlineQos = fc.oneof({ weight: 6, arbitrary: fc.constant(Buffer.from([16, 0])) }, half);
  const body = (...parts: Bytes[]): Bytes => fc.tuple(...parts).map((all) => Buffer.concat(all));
  const none = Buffer.alloc(2);
  const bodies: [number, Bytes][] = [
    [0x01, body(word)],
    [0x06, body(ends, set(sequence), word)],
    [0x07, body(ends, sequence, sequence, word)],
    [0x08, body(ends, sequence, set(sequence))],
    [0x09, body(word, word)],
    [0x0c, body(word, word, prefix)],
    [0x0d, body(word, word, word, word)],
    [0x0f, body(word, fc.constant(locator(40_000)), word, fc.constant(locator(40_000)))],
    [0x0e, fc.oneof(fc.constant(Buffer.from(victim, 'hex')), fc.constant(Buffer.alloc(12)), prefix)],
    [0x12, body(ends, sequence, set(word), word)],
    [0x13, body(ends, sequence, word, word)],
    [0x15, body(fc.constant(none), toInlineQos, ends, sequence, fc.oneof(payload, body(list([]), payload)))],
    [
      0x16,
      body(
        fc.constant(none),
        fc.oneof({ weight: 6, arbitrary: fc.constant(Buffer.from([28, 0])) }, half),
        ...[ends, sequence, word, half, half, word],
        fc.oneof(payload, body(list([]), payload)),
      ),
    ],
  ];
  const one = fc
    .constantFrom(...bodies, ...bodies.filter(([id]) => id === 0x15), ...bodies.filter(([id]) => id === 0x15))
    .chain(([id, content]) =>
      fc
        .tuple(
          fc.oneof({ weight: 4, arbitrary: fc.constantFrom(1, 3, 5, 7) }, fc.nat(255)),
          content,
          fc.option(half, { freq: 8 }),
        )
        .map(([flags, of, length]) => {
          const whole = submessage(id, flags, of);
          length?.copy(whole, 2);
          return whole;
        }),
    );
  const from = fc.oneof({ weight: 9, arbitrary: prefix }, fc.constant(Buffer.from(victim, 'hex')));
  const whole = fc
    .tuple(from, fc.array(one, { minLength: 1, maxLength: 5 }))
    .map(([of, all]) => Buffer.concat([header(of), ...all]));
  const cut = fc.tuple(whole, fc.nat()).map(([packet, at]) => packet.subarray(0, at % packet.length));
  const bent = fc
    .tuple(whole, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([packet, changes]) => {
      for (const [at, to] of changes) packet[at % packet.length] = to;
      return packet;
    });
  return fc.oneof({ weight: 4, arbitrary: whole }, cut, bent, participant, publication);
}

/**
 * What makes a receiver keep all: parts of what a participant tells of its publishers, with gaps in between that it never
 * fills, and much that is forgotten at once after each.
 */
export function* gaps(count: number): Generator<Buffer> {
  const prefix = Buffer.from(`010f${'00'.repeat(9)}ff`, 'hex');
  const guid = parameter(0x50, Buffer.concat([prefix, Buffer.from('000001c1', 'hex')]));
  const known = [
    parameter(0x15, Buffer.from('02030000', 'hex')),
    parameter(0x16, Buffer.from('010f0000', 'hex')),
    guid,
    parameter(0x58, uint32(0x3f)),
    parameter(0x02, Buffer.concat([uint32(60), uint32(0)])),
    parameter(0x31, locator(40_000)),
    parameter(0x32, locator(40_001)),
  ];
  /** A parameter that a vendor may have, and everybody else passes over. */
  const much = parameter(0x8abc, Buffer.alloc(50_000));
  const filler = message(prefix, '000100c7', '000100c2', 0, [...known, much]);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < 20; j++) {
      // Of the same memory each, as it is memory that is measured.
      filler.writeUInt32LE(i * 20 + j + 1, sequenceAt);
      yield filler;
    }
    yield message(prefix, '000003c7', '000003c2', 10 + 2 * i, [guid]);
  }
}

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

/** Behind the header, that of the submessage, and the fields before it: its low half. */
const sequenceAt = 20 + 4 + 16;

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
