import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineSplitter } from './split-lines.ts';

describe('lineSplitter', () => {
  it('finds the same lines however the text is cut into chunks', () => {
    const text = fc.array(fc.constantFrom('a', 'bc', '\n', '')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 5 })), (whole, cuts) => {
        const splitter = lineSplitter();
        const lines: string[] = [];
        let rest = whole;
        for (const cut of [...cuts, whole.length]) {
          lines.push(...splitter.push(Buffer.from(rest.slice(0, cut))).map(String));
          rest = rest.slice(cut);
        }
        expect([...lines, splitter.rest().toString()]).toEqual(whole.split('\n'));
      }),
    );
  });

  it('cuts a line that never ends', () => {
    const splitter = lineSplitter(4);
    expect(splitter.push(Buffer.from('abc'))).toEqual([]);
    expect(splitter.push(Buffer.from('defg')).map(String)).toEqual(['abcdefg']);
    expect(splitter.push(Buffer.from('h\n')).map(String)).toEqual(['h']);
  });
});
