import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFields, encodeFields } from './hpack.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('header fields', () => {
  // RFC 7541, C.2, C.4.1 and C.6.1, as far as they need no dynamic table.
  test.each([
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]],
    ['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]],
    ['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]],
    ['82', [[':method', 'GET']]],
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
    ],
    [
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      [
        [':status', '302'],
        ['cache-control', 'private'],
        ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
        ['location', 'https://www.example.com'],
      ],
    ],
    // A change of the size of the dynamic table to nothing, and a name that has more than 127 octets.
    [`20 00 7f 01 ${'61'.repeat(128)} 01 62`, [['a'.repeat(128), 'b']]],
  ])('%s is read as the specification says', (block, fields) => {
    expect([...decodeFields(hex(block))]).toEqual(fields);
  });

  test('are read as they were written', () => {
    const name = fc.stringMatching(/^[a-z-]{1,200}$/);
    const value = fc.stringMatching(/^[ -~]{0,300}$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }), (fields) => {
        expect([...decodeFields(encodeFields(fields))]).toEqual(fields);
      }),
    );
  });

  test.each([
    ['40 0a 63', 'cut off'],
    ['40', 'cut off'],
    ['3f e1 1f', 'dynamic table'],
    ['be', 'entry 62'],
    ['80', 'entry 0'],
    ['7f ff ff ff ff 7f', 'too large'],
    ['00 01 61 81 ff', 'cut off'],
    ['00 01 61 81 00', 'cut off'],
    ['00 01 61 84 ff ff ff ff', 'Huffman'],
  ])('%s is refused', (block, reason) => {
    expect(() => decodeFields(hex(block))).toThrow(reason);
  });

  test('of any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeFields(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
