import { describe, expect, it } from 'vitest';
import { covers, isNewer } from './covers.ts';

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

it('versions are compared as numbers', () => {
  const at = (resourceVersion: string) => ({ metadata: { resourceVersion } });
  expect(isNewer(at('10'), at('9'))).toBe(true);
  expect(isNewer(at('9'), at('10'))).toBe(false);
  expect(isNewer(at('9'), at('9'))).toBe(false);
});
