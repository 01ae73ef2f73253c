import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityMilliValue,
  quantityValue,
} from './quantity.ts';

const parsed = (text: string): Quantity => {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`${text} did not parse`);
  return quantity;
};

describe('parsing and canonical form', () => {
  // As apimachinery's resource.Quantity writes them.
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['00.50', '500m'],
    ['1.', '1'],
    ['.5', '500m'],
    ['+12', '12'],
    ['1500m', '1500m'],
    ['12000', '12k'],
    ['12345', '12345'],
    ['1.5Gi', '1536Mi'],
    ['1024Mi', '1Gi'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['1E', '1E'],
    ['12e2', '1200'],
    ['1.5e-2', '15e-3'],
    ['100u', '100u'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['-0.1n', '-1n'],
    ['-1.5Ki', '-1536'],
    ['9223372036854775807', '9223372036854775807'],
    ['10E', '9223372036854775807'],
    ['1e999999999', '9223372036854775807'],
    ['1e-999999999', '1e-9'],
  ])('%s is %s', (text, canonical) => {
    expect(formatQuantity(parsed(text))).toBe(canonical);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '1.1.1',
    'Ki',
    '.',
    '-',
    'e3',
    '1K',
    '1ki',
    '1mi',
    '1KB',
    '1GB',
    '0x1',
    '1e',
    '1,5',
    '1_0',
    '١',
  ])('%j is no quantity', (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  it('refuses a number of more digits than any quantity has instead of computing with it', () => {
    expect(parseQuantity('1'.repeat(1_000_000))).toBeUndefined();
  });
});

describe('values', () => {
  it.each([
    ['1500m', 2, 1500],
    ['100u', 1, 1],
    ['2', 2, 2000],
    ['64Mi', 67_108_864, 67_108_864_000],
    ['-1500m', -1, -1500],
    ['0', 0, 0],
  ])('%s is %i whole and %i thousandths, rounded up', (text, whole, milli) => {
    expect(quantityValue(text)).toBe(whole);
    expect(quantityMilliValue(text)).toBe(milli);
  });

  it('refuses what is no quantity by name', () => {
    expect(() => quantityValue('1GB')).toThrow('"1GB" is not a quantity');
  });
});

const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'e3', 'e-3');
const text = fc
  .tuple(fc.constantFrom('', '-', '+'), fc.nat(999_999), fc.option(fc.nat(999)), suffix)
  .map(([sign, whole, fraction, unit]) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${unit}`);

describe('properties', () => {
  it('the canonical form means the same and is its own canonical form', () => {
    fc.assert(
      fc.property(text, (source) => {
        const quantity = parsed(source);
        const again = parsed(formatQuantity(quantity));
        expect(again.nano).toBe(quantity.nano);
        expect(formatQuantity({ ...again, format: quantity.format })).toBe(formatQuantity(quantity));
      }),
    );
  });

  it('adding does not depend on the order, and zero changes nothing', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(addQuantities(parsed(a), parsed(b)).nano).toBe(addQuantities(parsed(b), parsed(a)).nano);
        expect(addQuantities(parsed('0'), parsed(a))).toEqual(parsed(a));
      }),
    );
  });

  it('comparing agrees with the numbers', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        expect(compareQuantities(parsed(`${a}m`), parsed(`${b}m`))).toBe(Math.sign(a - b));
      }),
    );
  });

  it('any text parses or does not, and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789.+-eEKMGim') })),
        (any) => {
          const quantity = parseQuantity(any);
          if (quantity !== undefined)
            expect(parseQuantity(formatQuantity(quantity))?.nano).toBe(quantity.nano);
        },
      ),
    );
  });
});
