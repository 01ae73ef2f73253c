import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';

describe('mergePatch (RFC 7386, appendix A)', () => {
  it.each<[Json, Json, Json]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j patched with %j is %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });
});

describe('jsonPatch (RFC 6902, appendix A)', () => {
  it.each<[string, Json, Json, Json]>([
    [
      'adds a member',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { baz: 'qux', foo: 'bar' },
    ],
    [
      'adds an item',
      { foo: ['a', 'c'] },
      [{ op: 'add', path: '/foo/1', value: 'b' }],
      { foo: ['a', 'b', 'c'] },
    ],
    ['appends an item', { foo: ['a'] }, [{ op: 'add', path: '/foo/-', value: 'b' }], { foo: ['a', 'b'] }],
    ['removes a member', { baz: 1, foo: 2 }, [{ op: 'remove', path: '/baz' }], { foo: 2 }],
    ['removes an item', { foo: [1, 2, 3] }, [{ op: 'remove', path: '/foo/1' }], { foo: [1, 3] }],
    ['replaces', { baz: 1 }, [{ op: 'replace', path: '/baz', value: 2 }], { baz: 2 }],
    [
      'replaces an item in place',
      { a: [1, 2, 3] },
      [{ op: 'replace', path: '/a/1', value: 9 }],
      { a: [1, 9, 3] },
    ],
    ['replaces all', { baz: 1 }, [{ op: 'replace', path: '', value: 2 }], 2],
    ['moves', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
    ['tests', { a: { b: [1] } }, [{ op: 'test', path: '/a', value: { b: [1] } }], { a: { b: [1] } }],
    ['reads escapes', { 'a/b': 1, 'm~n': 2 }, [{ op: 'remove', path: '/a~1b' }], { 'm~n': 2 }],
  ])('%s', (_name, target, patch, result) => {
    expect(jsonPatch(target, patch)).toEqual(result);
  });

  it.each<[string, Json]>([
    ['a test that fails', [{ op: 'test', path: '/a', value: 2 }]],
    ['a path to nothing', [{ op: 'remove', path: '/x/y' }]],
    ['replacing nothing', [{ op: 'replace', path: '/x', value: 1 }]],
    ['an index beyond the list', [{ op: 'add', path: '/l/2', value: 1 }]],
    ['an index with a leading zero', [{ op: 'replace', path: '/l/00', value: 1 }]],
    ['an unknown operation', [{ op: 'merge', path: '/a' }]],
    ['a path that is none', [{ op: 'remove', path: 'a' }]],
    ['something else than a list', { op: 'remove', path: '/a' }],
  ])('refuses %s and leaves the target as it was', (_name, patch) => {
    const target = { a: 1, l: [1] };
    expect(() => jsonPatch(target, patch)).toThrow();
    expect(target).toEqual({ a: 1, l: [1] });
  });
});

describe('the limits of a JSON patch', () => {
  it('end copies that grow with each operation', () => {
    const patch = Array.from({ length: 40 }, () => ({ op: 'copy', from: '', path: '/a/-' }));
    expect(() => jsonPatch({ a: [1] }, patch)).toThrow(/copy more than 3145728 bytes/);
  });

  it('end a list of too many operations before the first', () => {
    const patch = Array.from({ length: 10_001 }, () => null);
    expect(() => jsonPatch({}, patch)).toThrow(/at most 10000 operations, this one has 10001/);
  });
});

describe('strategicMergePatch', () => {
  it('merges and orders lists as long as a body can hold', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => ({ name: String(index) }));
    const patch: Json = {
      env: names.map((item) => ({ ...item, value: 'x' })),
      '$setElementOrder/env': names.toReversed(),
      finalizers: names.map(({ name }) => name),
    };
    const merged = strategicMergePatch({ env: names, finalizers: patch.finalizers! }, patch);
    expect(merged).toEqual({
      env: names.toReversed().map((item) => ({ ...item, value: 'x' })),
      finalizers: patch.finalizers,
    });
  });

  const pod: Json = {
    spec: {
      containers: [
        { name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] },
        { name: 'b', image: 'b:1' },
      ],
      tolerations: [{ key: 'k' }],
    },
  };

  it('merges containers by name and their environment by name', () => {
    const patch = { spec: { containers: [{ name: 'a', image: 'a:2', env: [{ name: 'Y', value: '2' }] }] } };
    expect(strategicMergePatch(pod, patch)).toEqual({
      spec: {
        containers: [
          {
            name: 'a',
            image: 'a:2',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '2' },
            ],
          },
          { name: 'b', image: 'b:1' },
        ],
        tolerations: [{ key: 'k' }],
      },
    });
  });

  it.each<[string, Json, Json, Json]>([
    [
      'removes an item',
      { volumes: [{ name: 'a' }, { name: 'b' }] },
      { volumes: [{ $patch: 'delete', name: 'a' }] },
      { volumes: [{ name: 'b' }] },
    ],
    [
      'replaces a merged list',
      { env: [{ name: 'a' }] },
      { env: [{ $patch: 'replace' }, { name: 'b' }] },
      { env: [{ name: 'b' }] },
    ],
    [
      'replaces an object',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      'replaces a list without a key',
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    ['removes a member', { labels: { a: '1', b: '2' } }, { labels: { a: null } }, { labels: { b: '2' } }],
    ['merges a set', { finalizers: ['a'] }, { finalizers: ['a', 'b'] }, { finalizers: ['a', 'b'] }],
    [
      'takes out of a set',
      { finalizers: ['a', 'b'] },
      { '$deleteFromPrimitiveList/finalizers': ['a'] },
      { finalizers: ['b'] },
    ],
    [
      'retains keys',
      { strategy: { type: 'A', old: 1 } },
      { strategy: { $retainKeys: ['type'], type: 'B' } },
      { strategy: { type: 'B' } },
    ],
    [
      'orders a list',
      { env: [{ name: 'a' }, { name: 'b' }] },
      { '$setElementOrder/env': [{ name: 'b' }, { name: 'c' }, { name: 'a' }], env: [{ name: 'c' }] },
      { env: [{ name: 'b' }, { name: 'c' }, { name: 'a' }] },
    ],
  ])('%s', (_name, target, patch, result) => {
    expect(strategicMergePatch(target, patch)).toEqual(result);
  });

  it('refuses an item without its key', () => {
    expect(() => strategicMergePatch(pod, { spec: { containers: [{ image: 'x' }] } })).toThrow(
      /merge key name/,
    );
  });

  it('changes nothing with an empty patch, and does not touch its target', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (target) => {
        const before = structuredClone(target);
        expect(strategicMergePatch(target as Json, {})).toEqual(before);
        strategicMergePatch(target as Json, { containers: [{ name: 'a' }], labels: { x: null } });
        expect(target).toEqual(before);
      }),
    );
  });
});
