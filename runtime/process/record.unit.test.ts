import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeEntries } from './record.ts';

test('entries come back whole and in order, whatever they hold', () => {
  const value = fc.array(fc.constantFrom('a', '=', '\n', ' ', "'", 'ü', '🤖')).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), (values) => {
      const text = encodeEntries(values.map((each) => ['arg', each] as const));
      expect(text.split('\0').slice(0, -1)).toEqual(values.map((each) => `arg=${each}`));
    }),
  );
});

test('a NUL character is refused, not cut off', () => {
  expect(() => encodeEntries([['arg', 'a\0b']])).toThrow(/arg holds a NUL/);
});
