/**
 * Messages of D-Bus as far as systemd's manager is called: calls with strings, numbers and properties, and the answers to
 * them (D-Bus Specification, "Message Protocol"). Little endian.
 */

/** A property of a unit: `t` (uint64; `infinity` where there is no limit), `b` or `s`. */
export type Property = readonly [name: string, value: bigint | boolean | string | readonly string[]];

/** What systemd takes for no limit. */
export const infinity = 2n ** 64n - 1n;

export interface Call {
  /** Object path, interface and member. */
  path: string;
  interface: string;
  member: string;
  destination: string;
  /** Of the body, and what writes it. */
  signature: string;
  write(body: Writer): void;
}

export interface Answer {
  replySerial: number;
  /** The name of the error and what it says. */
  error?: { name: string; message: string };
}

export class Writer {
  readonly #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  align(to: number): void {
    const missing = (to - (this.#length % to)) % to;
    if (missing > 0) this.#push(Buffer.alloc(missing));
  }

  byte(value: number): void {
    this.#push(Buffer.of(value));
  }

  uint32(value: number): void {
    this.align(4);
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.#push(part);
  }

  uint64(value: bigint): void {
    this.align(8);
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(value);
    this.#push(part);
  }

  boolean(value: boolean): void {
    this.uint32(value ? 1 : 0);
  }

  string(value: string): void {
    const text = Buffer.from(value);
    this.uint32(text.length);
    this.#push(text);
    this.byte(0);
  }

  signature(value: string): void {
    this.byte(value.length);
    this.#push(Buffer.from(value));
    this.byte(0);
  }

  /** @param alignment of its elements; @param elements writes them */
  array(alignment: number, elements: (writer: Writer) => void): void {
    this.align(4);
    const at = this.#parts.length;
    this.#push(Buffer.alloc(4));
    // Before the first element, and not counted.
    this.align(alignment);
    const from = this.#length;
    elements(this);
    this.#parts[at]!.writeUInt32LE(this.#length - from);
  }

  /** `a(sv)` */
  properties(properties: readonly Property[]): void {
    this.array(8, () => {
      for (const [name, value] of properties) {
        this.align(8);
        this.string(name);
        this.#variant(value);
      }
    });
  }

  #variant(value: Property[1]): void {
    if (typeof value === 'bigint') {
      this.signature('t');
      this.uint64(value);
    } else if (typeof value === 'boolean') {
      this.signature('b');
      this.boolean(value);
    } else if (typeof value === 'string') {
      this.signature('s');
      this.string(value);
    } else {
      this.signature('as');
      this.array(4, () => {
        for (const each of value) this.string(each);
      });
    }
  }

  #push(part: Buffer): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

export function encodeCall(call: Call, serial: number): Buffer {
  const body = new Writer();
  call.write(body);
  const writer = new Writer();
  for (const byte of [littleEndian, methodCall, 0, protocolVersion]) writer.byte(byte);
  writer.uint32(body.length);
  writer.uint32(serial);
  const fields: readonly (readonly [code: number, type: string, value: string])[] = [
    [1, 'o', call.path],
    [2, 's', call.interface],
    [3, 's', call.member],
    [6, 's', call.destination],
    ...(call.signature === '' ? [] : ([[fieldSignature, 'g', call.signature]] as const)),
  ];
  writer.array(8, () => {
    for (const [code, type, value] of fields) {
      writer.align(8);
      writer.byte(code);
      writer.signature(type);
      if (type === 'g') writer.signature(value);
      else writer.string(value);
    }
  });
  writer.align(8);
  return Buffer.concat([writer.bytes(), body.bytes()]);
}

/** Takes a stream of messages apart. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Returns the answers that are whole by now; what else is sent to everybody is left out. @throws Error of what is no D-Bus */
  read(chunk: Buffer): Answer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const answers: Answer[] = [];
    for (;;) {
      const length = messageLength(this.#rest);
      if (length === undefined || this.#rest.length < length) return answers;
      const answer = decodeAnswer(this.#rest.subarray(0, length));
      if (answer !== undefined) answers.push(answer);
      this.#rest = this.#rest.subarray(length);
    }
  }
}

function messageLength(head: Buffer): number | undefined {
  if (head.length < fixedHeader) return undefined;
  if (head[0] !== littleEndian || head[3] !== protocolVersion) throw new Error('not a message of D-Bus');
  const length = padded(fixedHeader + head.readUInt32LE(12)) + head.readUInt32LE(4);
  if (length > longestMessage) throw new Error(`a message of ${length} bytes`);
  return length;
}

function decodeAnswer(message: Buffer): Answer | undefined {
  const type = message[1];
  if (type !== methodReturn && type !== errorReturn) return undefined;
  const fields = headerFields(message);
  const replySerial = fields.get(5);
  if (typeof replySerial !== 'number') return undefined;
  if (type === methodReturn) return { replySerial };
  const body = padded(fixedHeader + message.readUInt32LE(12));
  const isText = String(fields.get(fieldSignature) ?? '').startsWith('s');
  const name = String(fields.get(4) ?? '');
  return { replySerial, error: { name, message: isText ? stringAt(message, body) : name } };
}

/** Those that are one string or number: all that there are. */
function headerFields(message: Buffer): Map<number, string | number> {
  const fields = new Map<number, string | number>();
  const end = fixedHeader + message.readUInt32LE(12);
  for (let at = fixedHeader; at < end; ) {
    at = padded(at);
    const code = message[at] ?? 0;
    const type = String.fromCharCode(message[at + 2] ?? 0);
    at += 4;
    if (type === 'u') {
      fields.set(code, message.readUInt32LE(at));
      at += 4;
    } else if (type === 'g') {
      const length = message[at] ?? 0;
      fields.set(code, message.toString('utf8', at + 1, at + 1 + length));
      at += length + 2;
    } else {
      const value = stringAt(message, at);
      fields.set(code, value);
      at += 4 + message.readUInt32LE(at) + 1;
    }
  }
  return fields;
}

const stringAt = (message: Buffer, at: number): string =>
  message.toString('utf8', at + 4, at + 4 + message.readUInt32LE(at));

const padded = (length: number): number => Math.ceil(length / 8) * 8;

const littleEndian = 'l'.charCodeAt(0);
const protocolVersion = 1;
const methodCall = 1;
const methodReturn = 2;
const errorReturn = 3;
const fieldSignature = 8;
/** Up to and with the length of the header's fields. */
const fixedHeader = 16;
/** As the specification has it. */
const longestMessage = 2 ** 27;
