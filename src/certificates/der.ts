/** DER (X.690) as far as certificates and requests for them need it: written here, never read. */
import { isIP, isIPv6 } from 'node:net';

export const sequence = (...items: Buffer[]): Buffer => element(0x30, ...items);
/** Its items must come in the order of their bytes; ours hold one. */
export const set = (...items: Buffer[]): Buffer => element(0x31, ...items);
export const octetString = (bytes: Buffer): Buffer => element(0x04, bytes);
export const bitString = (bytes: Buffer, unusedBits = 0): Buffer =>
  element(0x03, Buffer.from([unusedBits]), bytes);
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
export const trueValue: Buffer = element(0x01, Buffer.from([0xff]));

/** Constructed, context-specific: `[tag]` of a type's own. */
export const context = (tag: number, ...items: Buffer[]): Buffer => element(0xa0 | tag, ...items);
/** Primitive, context-specific: `[tag] IMPLICIT`. */
export const contextBytes = (tag: number, bytes: Buffer): Buffer => element(0x80 | tag, bytes);

/** Of the unsigned number that the bytes are, most significant first. */
export function unsignedInteger(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const significant = first < 0 ? Buffer.alloc(1) : bytes.subarray(first);
  // The highest bit is the sign.
  return element(0x02, Buffer.alloc(significant[0]! >= 0x80 ? 1 : 0), significant);
}

/** Written with dots. */
export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** To the second; UTCTime until 2049 and GeneralizedTime from then on, as RFC 5280 wants it. */
export function time(ms: number): Buffer {
  const digits = new Date(ms)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const isShort = Number(digits.slice(0, 4)) < 2050;
  return isShort
    ? element(0x17, Buffer.from(digits.slice(2), 'latin1'))
    : element(0x18, Buffer.from(digits, 'latin1'));
}

/** The 4 or 16 bytes of an address. */
export function ipBytes(ip: string): Buffer {
  if (isIP(ip) === 0) throw new TypeError(`"${ip}" is no IP address`);
  if (!isIPv6(ip)) return Buffer.from(ip.split('.').map(Number));
  // The URL parser writes every address in one way: eight groups, the longest run of zeros cut, no embedded IPv4.
  const [head = '', tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((g) => Number(`0x${g}`));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function element(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

function length(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift(0x80 | (rest % 128));
  }
  return digits;
}
