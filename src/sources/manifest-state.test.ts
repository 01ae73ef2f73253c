import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadManifest } from './manifest-load.ts';
import { ManifestState } from './manifest-state.ts';

const context = { nodeName: 'n', seenAtMs: () => 0 };
const load = (text: string, file = '/m/a.yaml') => loadManifest(text, file, context);

const pod = (name: string, extra = ''): string =>
  `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: main, image: x}]${extra}}\n`;
const configMap = (name: string, value = ''): string =>
  `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: "${value}"}\n`;
const wrong = ', bogus: 1';
const broken = '---\nkind: [\n';

/** The names in force after a file held these texts, one after the other. */
function namesAfter(...texts: string[]): string[] {
  const state = new ManifestState();
  for (const text of texts) state.update('/m/a.yaml', load(text));
  const { pods, configMaps, secrets } = state.result().snapshot;
  return [...pods, ...configMaps, ...secrets].map((object) => object.metadata?.name ?? '');
}

describe('a file that turns bad', () => {
  it.each<[string, string[], string[]]>([
    ['keeps the pod that is refused now', [pod('a'), pod('a', wrong)], ['a-n']],
    ['keeps all when it cannot be read at all', [pod('a') + pod('b'), broken], ['a-n', 'b-n']],
    [
      'keeps all when it is empty, as when it is just being written',
      [pod('a') + pod('b'), ''],
      ['a-n', 'b-n'],
    ],
    [
      'keeps the refused one and takes the new version of the others',
      [pod('a') + configMap('c', '1'), pod('a', wrong) + configMap('c', '2')],
      ['a-n', 'c'],
    ],
    ['lets go what it no longer asks for', [pod('a') + pod('b'), pod('a', wrong)], ['a-n']],
    [
      'keeps what an unreadable document may have been',
      [pod('a') + pod('b'), pod('b') + broken],
      ['b-n', 'a-n'],
    ],
    [
      'keeps it however often it is saved badly',
      [pod('a'), pod('a', wrong), broken, pod('a', wrong)],
      ['a-n'],
    ],
    ['keeps nothing that never was good', [pod('a', wrong)], []],
    ['and is mended, has what it asks for', [pod('a') + pod('b'), broken, pod('b')], ['b-n']],
    ['and then holds comments only, asks for nothing', [pod('a'), broken, '# off\n'], []],
  ])('%s', (_, texts, names) => {
    expect(namesAfter(...texts)).toEqual(names);
  });

  it('says in the refusal that the last good version stays', () => {
    const state = new ManifestState();
    state.update('/m/a.yaml', load(pod('a')));
    state.update('/m/a.yaml', load(pod('a', wrong) + pod('b', wrong)));
    expect(state.result().refused.map(({ line, message, name }) => [line, name, message])).toEqual([
      [5, 'a-n', 'spec.bogus: PodSpec has no field "bogus"; its last good version stays in force'],
      [10, 'b-n', 'spec.bogus: PodSpec has no field "bogus"'],
    ]);
    state.update('/m/a.yaml', load(broken));
    expect(state.result().refused[0]?.message).toMatch(
      /; its last good version stays in force \(Pod default\/a-n\)$/,
    );
  });

  it('that is deleted keeps nothing', () => {
    const state = new ManifestState();
    state.update('/m/a.yaml', load(pod('a')));
    state.update('/m/a.yaml', load(broken));
    expect(state.retain(new Set())).toEqual(['/m/a.yaml']);
    expect(state.result()).toEqual({ snapshot: { pods: [], configMaps: [], secrets: [] }, refused: [] });
  });
});

describe('the same object twice', () => {
  it('belongs to the first file by name, and the refusal names both', () => {
    const state = new ManifestState();
    state.update('/m/b.yaml', load(configMap('c', 'b'), '/m/b.yaml'));
    state.update('/m/a.yaml', load(configMap('c', 'a'), '/m/a.yaml'));
    const { refused, snapshot } = state.result();
    expect(snapshot.configMaps).toMatchObject([{ data: { value: 'a' } }]);
    expect(refused).toEqual([
      {
        file: '/m/b.yaml',
        line: 2,
        path: 'metadata.name',
        kind: 'ConfigMap',
        namespace: 'default',
        name: 'c',
        message: 'ConfigMap default/c is there twice: a.yaml line 2 has it, b.yaml line 2 is left out',
      },
    ]);
    state.retain(new Set(['/m/b.yaml']));
    expect(state.result()).toMatchObject({
      snapshot: { configMaps: [{ data: { value: 'b' } }] },
      refused: [],
    });
  });

  it('inside one file belongs to the first', () => {
    const state = new ManifestState();
    state.update('/m/a.yaml', load(pod('a') + pod('a')));
    expect(state.result().snapshot.pods).toHaveLength(1);
    expect(state.result().refused).toMatchObject([{ line: 7, name: 'a-n' }]);
  });

  it('is not meant by two kinds or namespaces of one name', () => {
    const other = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-n, namespace: other}\n';
    expect(namesAfter(pod('a') + configMap('a-n') + other)).toEqual(['a-n', 'a-n', 'a-n']);
  });

  it('is meant by one uid for two pods', () => {
    const state = new ManifestState();
    const withUid = (name: string): string => pod(`${name}, uid: same`);
    state.update('/m/a.yaml', load(withUid('a') + withUid('b')));
    expect(state.result().refused).toMatchObject([{ path: 'metadata.uid', name: 'b-n' }]);
  });
});

describe('whatever is saved into a file, one save after the other', () => {
  type Save = { name: string; isGood: boolean }[] | 'broken';
  const save: fc.Arbitrary<Save> = fc.oneof(
    fc.constant('broken' as const),
    fc.uniqueArray(fc.record({ name: fc.constantFrom('a', 'b', 'c'), isGood: fc.boolean() }), {
      selector: ({ name }) => name,
      minLength: 1,
    }),
  );
  const textOf = (content: Save): string =>
    content === 'broken'
      ? broken
      : content.map(({ isGood, name }) => pod(name, isGood ? '' : wrong)).join('');

  it('a pod is stopped only by a save that no longer asks for it', () => {
    fc.assert(
      fc.property(fc.array(save, { maxLength: 6 }), (saves) => {
        const state = new ManifestState();
        let before: string[] = [];
        for (const content of saves) {
          state.update('/m/a.yaml', load(textOf(content)));
          const inForce = state.objects('/m/a.yaml').map(({ object }) => object.metadata?.name ?? '');
          const asked = content === 'broken' ? before : content.map(({ name }) => `${name}-n`);
          for (const name of before) if (asked.includes(name)) expect(inForce).toContain(name);
          for (const name of inForce)
            expect([...asked, ...(content === 'broken' ? before : [])]).toContain(name);
          if (content !== 'broken') {
            for (const { isGood, name } of content) if (isGood) expect(inForce).toContain(`${name}-n`);
          }
          before = inForce;
        }
      }),
    );
  });
});
