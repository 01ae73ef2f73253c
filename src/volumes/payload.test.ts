import { describe, expect, test } from 'vitest';
import type { ConfigMap, Pod, Secret } from '../api/core.gen.ts';
import type { ObjectReader } from '../sources/source.ts';
import { downwardPayload, type KeySource, objectPayload } from './payload.ts';

const configMaps: Record<string, ConfigMap> = {
  cm: { data: { text: 'hello' }, binaryData: { bytes: 'AP8=' } },
};
const secrets: Record<string, Secret> = { s: { data: { user: 'cm9z' }, stringData: { pass: 'word' } } };
const objects: ObjectReader = {
  configMap: async (_, name) => configMaps[name],
  secret: async (_, name) => secrets[name],
  onObjectChange: () => () => {},
};
const pod: Pod = {
  metadata: { name: 'p', namespace: 'ns', labels: { a: '1' } },
  spec: { containers: [{ name: 'c', resources: { limits: { cpu: '500m' } } }] },
};

const filesOf = async (source: KeySource) =>
  [...(await objectPayload(objects, pod, source, 0o644, new AbortController().signal))].map(
    ([path, { data, mode }]) => [path, data.toString('latin1'), mode],
  );

describe('the files of an object are', () => {
  test.each<[KeySource, unknown[]]>([
    [
      { kind: 'configmap', name: 'cm' },
      [
        ['text', 'hello', 0o644],
        ['bytes', '\x00\xff', 0o644],
      ],
    ],
    [
      { kind: 'secret', name: 's' },
      [
        ['user', 'ros', 0o644],
        ['pass', 'word', 0o644],
      ],
    ],
    [
      { kind: 'configmap', name: 'cm', items: [{ key: 'text', path: 'a/b', mode: 0o400 }] },
      [['a/b', 'hello', 0o400]],
    ],
    [{ kind: 'configmap', name: 'x', optional: true }, []],
    [{ kind: 'secret', name: 'x', optional: true, items: [{ key: 'k', path: 'p' }] }, []],
    [
      {
        kind: 'secret',
        name: 's',
        optional: true,
        items: [
          { key: 'gone', path: 'gone' },
          { key: 'user', path: 'u' },
        ],
      },
      [['u', 'ros', 0o644]],
    ],
  ])('of %j', async (source, expected) => {
    expect(await filesOf(source)).toEqual(expected);
  });

  test.each<[KeySource, string]>([
    [{ kind: 'configmap', name: 'x' }, 'configmap "x" not found'],
    [{ kind: 'secret', name: 'x' }, 'secret "x" not found'],
    [
      { kind: 'configmap', name: 'cm', items: [{ key: 'k', path: 'p' }] },
      'configmap references non-existent config key: k',
    ],
    [
      { kind: 'secret', name: 's', items: [{ key: 'k', path: 'p' }] },
      'references non-existent secret key: k',
    ],
  ])('not to be had of %j', async (source, message) => {
    await expect(filesOf(source)).rejects.toThrow(message);
  });
});

describe('the downward API shows', () => {
  const shown = (item: object) =>
    downwardPayload(pod, [{ path: 'p', ...item }], { cpu: 1000 }, 0o644).get('p');

  test.each([
    [{ fieldRef: { fieldPath: 'metadata.labels' } }, 'a="1"', 0o644],
    [{ fieldRef: { fieldPath: 'metadata.name' }, mode: 0o400 }, 'p', 0o400],
    [{ resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' } }, '500', 0o644],
  ])('for %j: %s', (item, text, mode) => {
    expect(shown(item)).toEqual({ data: Buffer.from(text), mode });
  });

  test.each([
    [{ fieldRef: { fieldPath: 'status.podIP' } }, 'unsupported fieldPath: status.podIP'],
    [{}, 'neither fieldRef nor resourceFieldRef'],
  ])('nothing for %j', (item, message) => {
    expect(() => shown(item)).toThrow(message);
  });
});
