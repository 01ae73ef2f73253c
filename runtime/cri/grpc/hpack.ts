/**
 * Header fields as HTTP/2 writes them (HPACK, RFC 7541), without a dynamic table: we send none, and tell the peer by
 * SETTINGS_HEADER_TABLE_SIZE 0 to use none. So each block of fields can be read by itself.
 */
import { decodeHuffman } from './huffman.ts';

/** The static table, appendix A, from index 1. */
const staticFields: readonly (readonly [name: string, value: string])[] = `\
:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|\
:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|\
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|\
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|\
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|\
last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|\
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
  .split('|')
  .map((field) => {
    const [name = '', value = ''] = field.split('=');
    return [name, value];
  });

export type Fields = ReadonlyMap<string, string>;

/** Of a name that comes twice the last value counts. @throws RangeError when the block is not what it should be */
export function decodeFields(block: Buffer): Fields {
  const fields = new Map<string, string>();
  let at = 0;

  const byte = (): number => {
    const value = block[at];
    if (value === undefined) throw new RangeError('a header field is cut off');
    at += 1;
    return value;
  };
  /** The low bits of the first byte, and where they are all ones of those that follow (5.1). */
  const integer = (first: number, prefixBits: number): number => {
    const most = 2 ** prefixBits - 1;
    let value = first & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const next = byte();
      value += (next & 0x7f) * factor;
      if (value > maxInteger) throw new RangeError('a number in a header field is too large');
      if (next < 0x80) return value;
    }
  };
  const string = (): string => {
    const first = byte();
    const length = integer(first, 7);
    if (at + length > block.length) throw new RangeError('a header field is cut off');
    const text = block.subarray(at, at + length);
    at += length;
    return (first & 0x80 ? decodeHuffman(text) : text).toString('latin1');
  };
  const known = (index: number): readonly [string, string] => {
    const field = staticFields[index - 1];
    if (field === undefined)
      throw new RangeError(`a header field refers to entry ${index}, which there is not`);
    return field;
  };

  while (at < block.length) {
    const first = byte();
    if (first & 0x80) {
      const [name, value] = known(integer(first, 7));
      fields.set(name, value);
    } else if ((first & 0xe0) === 0x20) {
      if (integer(first, 5) !== 0) throw new RangeError('the peer wants a dynamic table of header fields');
    } else {
      const index = integer(first, first & 0x40 ? 6 : 4);
      const name = index === 0 ? string() : known(index)[0];
      fields.set(name, string());
    }
  }
  return fields;
}

export function encodeFields(fields: Iterable<readonly [name: string, value: string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const whole = staticFields.findIndex(([n, v]) => n === name && v === value) + 1;
    if (whole > 0) {
      parts.push(encodeInteger(whole, 7, 0x80));
      continue;
    }
    const index = staticFields.findIndex(([n]) => n === name) + 1;
    parts.push(encodeInteger(index, 4, 0));
    for (const text of index === 0 ? [name, value] : [value]) {
      const bytes = Buffer.from(text, 'latin1');
      parts.push(encodeInteger(bytes.length, 7, 0), bytes);
    }
  }
  return Buffer.concat(parts);
}

function encodeInteger(value: number, prefixBits: number, pattern: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.from([pattern | value]);
  const bytes = [pattern | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const maxInteger = 2 ** 24;
