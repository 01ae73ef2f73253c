import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptRecordError, decodeRecord, encodeRecord, recordFileName } from './record.ts';

describe('records', () => {
  test('hold any key and JSON value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.jsonValue(), (key, value) => {
        const decoded = decodeRecord(encodeRecord(key, value));
        expect(JSON.stringify(decoded)).toBe(JSON.stringify({ key, value }));
      }),
    );
  });

  test('are refused when any one byte is changed', () => {
    const record = encodeRecord('default/web', { replicas: 3 });
    fc.assert(
      fc.property(fc.nat(record.length - 1), fc.integer({ min: 1, max: 255 }), (position, difference) => {
        const damaged = Buffer.from(record);
        damaged[position]! ^= difference;
        expect(() => decodeRecord(damaged)).toThrow(CorruptRecordError);
      }),
    );
  });

  test('are refused when cut or followed by something', () => {
    const record = encodeRecord('default/web', { replicas: 3 });
    fc.assert(
      fc.property(fc.nat(record.length - 1), (length) => {
        expect(() => decodeRecord(record.subarray(0, length))).toThrow(CorruptRecordError);
      }),
    );
    expect(() => decodeRecord(Buffer.concat([record, Buffer.from('x')]))).toThrow('holds 45 bytes of 44');
  });

  test('of a newer format say so', () => {
    const text = encodeRecord('a', 1).toString().replace('roslet-store 1', 'roslet-store 7');
    expect(() => decodeRecord(Buffer.from(text))).toThrow('its format version is 7; this roslet reads 1');
  });
});

describe('file names of keys', () => {
  const anyKey = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 250, maxLength: 400 }),
    fc.constantFrom('', '.', '..', '../../etc/passwd', '/', 'a%2fb', 'a/b', 'A/b', '\0', 'x.tmp'),
  );

  test('stay in their directory and fit a file name with its temporary suffix', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const name = recordFileName(key);
        expect(name).toMatch(/^[a-z0-9._%~-]*\.rec$/);
        expect(name).not.toMatch(/^\.{1,2}$/);
        expect(`${name}.tmp`.length).toBeLessThanOrEqual(255);
      }),
    );
  });

  test('differ for different keys, also where a file system ignores case', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        fc.pre(Buffer.from(a).compare(Buffer.from(b)) !== 0);
        expect(recordFileName(a).toLowerCase()).not.toBe(recordFileName(b).toLowerCase());
      }),
    );
  });

  test('stay readable', () => {
    expect(recordFileName('default/web-0')).toBe('default%2fweb-0.rec');
  });
});
