import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tree } from './tree.ts';
import { parseYaml, type YamlDocument } from './yaml.ts';

function plain(tree: Tree | undefined): unknown {
  if (tree === undefined) return undefined;
  if (tree.kind === 'list') return tree.items.map(plain);
  if (tree.kind === 'map')
    return Object.fromEntries(tree.entries.map(({ key, value }) => [key, plain(value)]));
  return tree.value;
}

const only = (text: string): YamlDocument => {
  const [document, ...others] = parseYaml(text);
  if (document === undefined || others.length > 0) throw new Error('not one document');
  return document;
};

const decoded = (text: string): unknown => plain(only(text).tree);
const errorsOf = (text: string): string[] =>
  parseYaml(text).flatMap(({ errors }) => errors.map((e) => e.message));

describe('scalars mean what they mean to kubectl', () => {
  // Recorded from sigs.k8s.io/yaml 1.6.
  it.each([
    ['0644', 420],
    ['0o17', 15],
    ['017', 15],
    ['-017', -15],
    ['08', 8],
    ['0x1F', 31],
    ['0b11', 3],
    ['0b2', '0b2'],
    ['1_000', 1000],
    ['_1', '_1'],
    ['+12', 12],
    ['1e3', 1000],
    ['1e', '1e'],
    ['1.', 1],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['1:30', '1:30'],
    ['2001-01-01', '2001-01-01'],
    ['1e400', '1e400'],
    ['yes', true],
    ['No', false],
    ['on', true],
    ['OFF', false],
    ['y', true],
    ['yEs', 'yEs'],
    ['~', null],
    ['NULL', null],
    ['', null],
    ['"1"', '1'],
    ["'yes'", 'yes'],
    ['!!str 1', '1'],
    ['!!int "1"', 1],
    ['|\n  1\n', '1\n'],
    ['a # b', 'a'],
  ])('%s', (text, value) => {
    expect(decoded(`a: ${text}\n`)).toEqual({ a: value });
  });

  it('keeps keys as they were written', () => {
    expect(decoded('on: 1\n0644: 2\n"a b": 3\n')).toEqual({ on: 1, '0644': 2, 'a b': 3 });
  });
});

describe('structure', () => {
  it('knows the line and column of everything', () => {
    const { tree } = only('a:\n  - b: 1\n  - c\n');
    if (tree?.kind !== 'map') throw new Error('no map');
    const list = tree.entries[0]?.value;
    if (list?.kind !== 'list') throw new Error('no list');
    expect(tree.entries[0]?.at).toEqual({ line: 1, column: 1 });
    expect(list.items.map((item) => item.at)).toEqual([
      { line: 2, column: 5 },
      { line: 3, column: 5 },
    ]);
  });

  it('counts documents, leaves empty ones out and goes on behind a broken one', () => {
    const documents = parseYaml('---\n# nothing\n---\na: 1\n---\nb: [\n---\nc: 3\n');
    expect(documents.map(({ index, errors }) => [index, errors.length > 0])).toContainEqual([1, false]);
    expect(documents.some(({ errors }) => errors.length > 0)).toBe(true);
    expect(plain(documents[0]?.tree)).toEqual({ a: 1 });
  });

  it('reads JSON, also with tabs', () => {
    expect(decoded('{\n\t"a": [1, true, null,\n\t\t"x"]\n}\n')).toEqual({ a: [1, true, null, 'x'] });
  });

  it('expands aliases and merge keys, the own entries first', () => {
    expect(decoded('x: &x {a: 1, b: 2}\ny: *x\nz: {<<: *x, b: 3}\nw: {<<: [{a: 5}, *x]}\n')).toEqual({
      x: { a: 1, b: 2 },
      y: { a: 1, b: 2 },
      z: { a: 1, b: 3 },
      w: { a: 5, b: 2 },
    });
  });

  it('takes the anchor of a key', () => {
    expect(decoded('&k a: *k\n')).toEqual({ a: 'a' });
  });

  it('takes the nearest anchor before the alias, also behind a copy of an earlier one', () => {
    expect(decoded('a: &o {i: &i 1}\nb: &i 2\nc: *o\nd: *i\n')).toEqual({
      a: { i: 1 },
      b: 2,
      c: { i: 1 },
      d: 2,
    });
  });

  it.each([
    ['a key that is there twice', 'a: 1\nb: 2\na: 3\n', 'key "a" is there twice; it was first set in line 1'],
    ['an alias before its anchor', 'a: *x\nb: &x 1\n', 'alias *x has no anchor'],
    ['an alias without an anchor', 'a: *x\n', 'alias *x has no anchor'],
    ['an alias inside itself', 'a: &x [*x]\n', 'alias *x contains itself'],
    ['a merge of a list of scalars', 'a: {<<: [1]}\n', 'a merge key (<<) takes a mapping'],
    ['a key that is a list', '? [a]\n: 1\n', 'a key must be plain text'],
    ['a tag of its own', 'a: !foo 1\n', 'tag !foo is not supported'],
    ['tabs as indentation', 'a:\n\tb: 1\n', 'YAML syntax: Tabs are not allowed as indentation'],
    ['two mappings in a line', 'a: b: c\n', 'YAML syntax: Nested mappings are not allowed'],
  ])('refuses %s', (_, text, message) => {
    expect(errorsOf(text).join('\n')).toContain(message);
  });

  it('refuses an alias bomb in a moment', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const items = level === 0 ? 'x' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array(10).fill(items).join(', ')}]`;
    });
    expect(errorsOf(levels.join('\n'))).toEqual([
      'holds more than 200000 values once its aliases are expanded',
    ]);
  });

  it('takes a thousand documents and refuses more', () => {
    expect(parseYaml('---\na: 1\n'.repeat(1000)).at(-1)).toMatchObject({ index: 999, at: { line: 2000 } });
    for (const text of ['---\n'.repeat(10_000), 'a\n...\n'.repeat(2000)]) {
      expect(errorsOf(text)).toEqual(['holds more than 1000 documents: use several files']);
    }
  });

  it('refuses what would take long to parse', () => {
    expect(errorsOf('- a: 1\n'.repeat(100_000))).toEqual(['holds more than 400000 words and signs of YAML']);
  });

  it('refuses nesting without end', () => {
    expect(errorsOf(`a: ${'['.repeat(150)}${']'.repeat(150)}`).join()).toContain(
      'nested deeper than 100 levels',
    );
    expect(errorsOf('['.repeat(50_000)).length).toBeGreaterThan(0);
  });
});

describe('properties', () => {
  it('reads any JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
        const text = JSON.stringify({ value: withoutNegativeZero(value) }, null, indent);
        expect(decoded(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 50 },
    );
  });

  it('never throws, and gives a tree or an error for every document', () => {
    const yamlish = fc.string({ unit: fc.constantFrom(...'ab: -[]{}&*!|>%#"\'\n\t?,<~0'), maxLength: 60 });
    fc.assert(
      fc.property(fc.oneof(fc.string(), yamlish), (text) => {
        for (const { errors, tree } of parseYaml(text)) expect(tree === undefined).toBe(errors.length > 0);
      }),
      { numRuns: 500 },
    );
  });
});

function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
