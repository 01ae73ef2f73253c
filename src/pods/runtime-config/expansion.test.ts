import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expand, expandStrict } from './expansion.ts';

const variables = new Map([
  ['A', 'a'],
  ['EMPTY', ''],
  ['REF', '$(A)'],
  ['WITH SPACE', 'spaced'],
]);
const lookup = (name: string) => variables.get(name);

describe('expand', () => {
  test.each([
    ['', ''],
    ['plain', 'plain'],
    ['$(A)', 'a'],
    ['x$(A)y$(A)z', 'xayaz'],
    ['$(EMPTY)', ''],
    ['$(WITH SPACE)', 'spaced'],
    ['$(MISSING)', '$(MISSING)'],
    ['$()', '$()'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$$$$(A)', '$$(A)'],
    ['$A', '$A'],
    ['$[A]', '$[A]'],
    ['$', '$'],
    ['a$', 'a$'],
    ['$$', '$'],
    ['$(A', '$(A'],
    ['$(A$(A)', '$(A$(A)'],
    ['$($(A))', '$($(A))'],
    ['($(A))', '(a)'],
    ['$(REF)', '$(A)'],
    ['$(A)$', 'a$'],
  ])('%j becomes %j', (input, expected) => {
    expect(expand(input, lookup)).toBe(expected);
  });

  test('leaves text without a dollar as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('$')),
        (text) => expand(text, lookup) === text,
      ),
    );
  });

  test('gives back any text whose dollars were doubled', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '(', ')', 'A', ' ') }), (text) => {
        expect(expand(text.replaceAll('$', '$$$$'), lookup)).toBe(text);
      }),
    );
  });

  test('puts each value in once and looks no further into it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '(', ')', 'A') }), (value) => {
        expect(expand('<$(V)>', (name) => (name === 'V' ? value : undefined))).toBe(`<${value}>`);
      }),
    );
  });
});

test('expandStrict names what has no value', () => {
  expect(expandStrict('$(A)/$(X)/$(Y)', lookup)).toEqual({ value: 'a/$(X)/$(Y)', missing: ['X', 'Y'] });
});
