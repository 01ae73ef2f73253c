import { describe, expect, it } from 'vitest';
import { covers, newer } from './covers.ts';

describe('covers', () => {
  it.each<[unknown, unknown, boolean]>([
    [{ a: 1, b: 2 }, { a: 1 }, true],
    [{ a: 1 }, { a: 2 }, false],
    [undefined, { a: 1 }, false],
    [undefined, {}, true],
    [undefined, { a: '' }, true],
    [{ a: 'x' }, { a: '' }, false],
    [{ lastProbeTime: null }, { lastProbeTime: undefined }, true],
    [[1, 2], [1], false],
    [[{ a: 1, b: 2 }], [{ a: 1 }], true],
    [[], undefined, true],
    ['x', ['x'], false],
  ])('%j, asked for %j: %s', (theirs, ours, result) => {
    expect(covers(theirs, ours)).toBe(result);
  });
});

describe('newer', () => {
  const at = (resourceVersion: string) => ({ metadata: { resourceVersion } });
  it('compares versions as numbers', () => {
    expect(newer(at('9'), at('10'))).toEqual(at('10'));
    expect(newer(at('10'), at('9'))).toEqual(at('10'));
    expect(newer(undefined, at('9'))).toEqual(at('9'));
    expect(newer(at('9'), undefined)).toEqual(at('9'));
  });
});
