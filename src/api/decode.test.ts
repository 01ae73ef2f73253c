import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DecodedManifest, decodeManifest, formatManifestError } from './decode.ts';
import { decodeTree } from './decode-value.ts';
import { treeOf } from './tree.ts';

const decode = (text: string): DecodedManifest => decodeManifest(text, 'pod.yaml');
const messages = (text: string): string[] => decode(text).errors.map(formatManifestError);

/** A pod with these lines in its spec or its only container. */
const podWith = ({
  spec = '',
  container = '',
}: {
  spec?: string;
  container?: string;
}): string => `apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  ${spec}
  containers:
  - name: main
    image: x
    ${container}
`;

describe('an unknown field is told with the one that was meant', () => {
  it.each([
    [
      'a typing mistake',
      { container: 'imagePulPolicy: x' },
      9,
      'spec.containers[0].imagePulPolicy',
      'did you mean "imagePullPolicy"?',
    ],
    [
      'two letters swapped',
      { container: 'comamnd: [x]' },
      9,
      'spec.containers[0].comamnd',
      'did you mean "command"?',
    ],
    [
      'wrong case',
      { spec: 'restartpolicy: x' },
      5,
      'spec.restartpolicy',
      'did you mean "restartPolicy"? Upper and lower case matter',
    ],
    [
      'one level too high',
      { spec: 'image: x' },
      5,
      'spec.image',
      'one level too high and belongs into spec.containers[]',
    ],
    [
      'one level too deep',
      { container: 'hostNetwork: true' },
      9,
      'spec.containers[0].hostNetwork',
      'one level too deep and belongs into spec',
    ],
    [
      'two levels too deep',
      { container: 'resources: {tty: true, volumes: []}' },
      9,
      'spec.containers[0].resources.volumes',
      '2 levels too deep and belongs into spec',
    ],
    [
      'a port outside its list',
      { container: 'hostPort: 80' },
      9,
      'spec.containers[0].hostPort',
      'belongs into spec.containers[0].ports[]',
    ],
  ])('%s', (_, lines, line, path, hint) => {
    const error = decode(podWith(lines)).errors.find((item) => item.path === path);
    expect(error).toMatchObject({
      file: 'pod.yaml',
      line,
      document: 0,
      reason: 'FieldUnknown',
      kind: 'Pod',
      name: 'talker',
    });
    expect(error?.message).toContain(hint);
  });

  it('says only that it is unknown when nothing is near', () => {
    expect(messages(podWith({ spec: 'zzz: 1' }))).toEqual([
      'pod.yaml:5:3: spec.zzz: PodSpec has no field "zzz"',
    ]);
  });

  it('fields of the spec beside it belong into it', () => {
    expect(
      messages('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\ncontainers: []\nspec: {containers: []}\n'),
    ).toEqual([
      'pod.yaml:4:1: containers: Pod has no field "containers": it is one level too high and belongs into spec',
    ]);
  });
});

describe('a wrong type is told with what was found and what is wanted', () => {
  it.each([
    [
      'container',
      'env: [{name: A, value: 1}]',
      'env[0].value',
      'must be a string, not the number 1; put it in quotes: "1"',
    ],
    [
      'container',
      'env: [{name: A, value: on}]',
      'env[0].value',
      'must be a string, not the boolean true; put it in quotes: "on"',
    ],
    [
      'container',
      'tty: "true"',
      'tty',
      'must be true or false, not the string "true"; write it without quotes: true',
    ],
    [
      'container',
      'command: sleep 1',
      'command',
      'must be a list of strings, not the string "sleep 1"; start each item with "- "',
    ],
    [
      'container',
      'ports: [{containerPort: "80"}]',
      'ports[0].containerPort',
      'must be a whole number of 32 bits, not the string "80"; write it without quotes: 80',
    ],
    [
      'container',
      'ports: [{containerPort: 80.5}]',
      'ports[0].containerPort',
      'must be a whole number of 32 bits, not the number 80.5',
    ],
    [
      'container',
      'ports: [{containerPort: 4294967296}]',
      'ports[0].containerPort',
      'must be a whole number of 32 bits',
    ],
    ['container', 'ports: [{}]', 'ports[0].containerPort', 'is required: give a whole number of 32 bits'],
    ['container', 'ports: [null]', 'ports[0]', 'must be a ContainerPort (a mapping of fields), not nothing'],
    [
      'container',
      'resources: []',
      'resources',
      'must be a ResourceRequirements (a mapping of fields), not a list',
    ],
    [
      'container',
      'resources: {limits: {memory: 1GB}}',
      'resources.limits[memory]',
      'the suffixes are k, M, G (powers of 1000) and Ki, Mi, Gi',
    ],
    [
      'container',
      'livenessProbe: {httpGet: {port: true}}',
      'livenessProbe.httpGet.port',
      'must be a whole number',
    ],
  ])('%s: %s', (place, line, path, message) => {
    const [error, ...others] = decode(podWith({ [place]: line })).errors;
    expect(others).toEqual([]);
    expect(error?.path).toBe(`spec.containers[0].${path}`);
    expect(error?.line).toBe(9);
    expect(error?.message).toContain(message);
  });

  it('collects a hundred errors of each sort and counts the others', () => {
    const fields = Array.from({ length: 150 }, (_, index) => [`imag${index}`, index]);
    const env = Array.from({ length: 110 }, () => 7);
    const body = { spec: { containers: [{ name: 'a', env, ...Object.fromEntries(fields) }] } };
    const { errors } = decodeTree('Pod', treeOf(body)!);
    expect(errors).toHaveLength(202);
    expect(errors.filter(({ message }) => message.includes('did you mean "image"?'))).toHaveLength(20);
    expect(errors.slice(-2)).toMatchObject([
      { reason: 'FieldUnknown', message: 'and 50 more unknown fields' },
      { reason: 'FieldValueTypeInvalid', message: 'and 10 more errors' },
    ]);
  });

  it('collects all errors of a document, in order', () => {
    const text = podWith({ spec: 'hostNetwork: yes please', container: 'tty: 1\n    stdin: 2' });
    expect(decode(text).errors.map((error) => [error.line, error.path])).toEqual([
      [5, 'spec.hostNetwork'],
      [9, 'spec.containers[0].tty'],
      [10, 'spec.containers[0].stdin'],
    ]);
  });
});

describe('values', () => {
  it('are taken as the API server takes them', () => {
    const { objects, errors } = decode(
      podWith({
        spec: 'volumes: [{name: v, configMap: {name: c, defaultMode: 0644, items: null}}]',
        container: 'resources: {limits: {cpu: 1, memory: 1e9}}',
      }),
    );
    expect(errors).toEqual([]);
    expect(objects[0]?.object).toMatchObject({
      spec: {
        volumes: [{ name: 'v', configMap: { name: 'c', defaultMode: 420 } }],
        containers: [{ resources: { limits: { cpu: '1', memory: '1000000000' } } }],
      },
    });
  });

  it('of a secret are checked base64 and never shown; a null entry of a map is an empty string', () => {
    const head = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n';
    expect(decode(`${head}data:\n  a: |\n    YW\n    I=\n  b:\n`).objects[0]?.object).toMatchObject({
      data: { a: 'YWI=', b: '' },
    });
    expect(messages(`${head}data: {a: secret!}\n`)).toEqual([
      'pod.yaml:4:11: data[a]: must be base64 text, not a string (hidden); plain text belongs into stringData (Secret) or data (ConfigMap)',
    ]);
    expect(messages(`${head}stringData: {pin: 4711}\n`)).toEqual([
      'pod.yaml:4:19: stringData[pin]: must be a string, not a number (hidden); put it in quotes',
    ]);
  });

  it.each(['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+01:00'])('a time like %s', (time) => {
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: ${time}}\n`;
    expect(messages(text)).toEqual([]);
  });

  it.each(['2026-01-31', '2026-13-31T12:00:00Z', 'now', '5'])('no time like %s', (time) => {
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: ${time}}\n`;
    expect(messages(text)).toHaveLength(1);
  });

  it('a field that looks like a prototype is a field', () => {
    const text =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {__proto__: x, constructor: z}\n';
    const object = decode(text).objects[0]?.object as { data: Record<string, string> };
    expect(Object.entries(object.data)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'z'],
    ]);
    expect(messages('apiVersion: v1\nkind: ConfigMap\nconstructor: {}\n')).toHaveLength(1);
  });
});

describe('files', () => {
  const configMap = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

  it('hold several documents, of which the bad hide none of the good', () => {
    const { objects, errors } = decode(
      `${configMap('a')}---\nkind: [\n---\n${configMap('b')}---\nkind: Pod\n---\n${configMap('c')}`,
    );
    expect(objects.map(({ document, object }) => [document, object.metadata?.name])).toEqual([
      [0, 'a'],
      [2, 'b'],
      [4, 'c'],
    ]);
    expect(errors.map(({ document }) => document)).toEqual([1, 3]);
  });

  it('hold lists, whose items need not repeat the type when the list has one', () => {
    const list = (kind: string, items: string): string => `apiVersion: v1\nkind: ${kind}\nitems:\n${items}`;
    expect(
      decode(list('ConfigMapList', '- metadata: {name: a}\n- metadata: {name: b}\n')).objects,
    ).toHaveLength(2);
    expect(
      decode(list('List', '- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n')).objects,
    ).toHaveLength(1);
    expect(messages(list('List', '- metadata: {name: a}\n'))).toEqual([
      'pod.yaml:4:3: items[0].kind: is required: one of Pod, ConfigMap, Secret, List',
    ]);
    expect(messages(list('PodList', '- {kind: Secret, metadata: {name: a}}\n'))[0]).toContain(
      'items[0].kind: must be Pod in a PodList',
    );
    expect(messages(list('List', '- {apiVersion: v1, kind: List, items: []}\n'))[0]).toContain(
      'a list may not hold lists',
    );
    expect(messages('apiVersion: v1\nkind: List\n')[0]).toContain('items: must be a list of objects');
  });

  it('give the position of a field inside a list, or of the nearest one that is there', () => {
    const { objects } = decode(
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n',
    );
    expect(objects[0]?.locate('metadata.name')).toEqual({ line: 7, column: 5 });
    expect(objects[0]?.locate('metadata.labels[x]')).toEqual({ line: 6, column: 3 });
    expect(objects[0]?.locate('spec.containers[0].image')).toEqual({ line: 4, column: 3 });
  });

  it.each([
    [
      'apiVersion: apps/v1\nkind: Deployment\n',
      'kind: Deployment (apps/v1) needs a controller of a Kubernetes cluster; write its spec.template as a Pod instead',
    ],
    ['apiVersion: v1\nkind: Podd\n', 'did you mean "Pod"?'],
    ['apiVersion: v1\nkind: Service\n', 'only Pod, ConfigMap and Secret (v1) and lists of them can'],
    ['apiVersion: v2\nkind: Pod\n', 'kind: Pod (v2) is not known: Pod is of apiVersion v1'],
    ['kind: Pod\n', 'apiVersion: is required: v1'],
    ['apiVersion: v1\n', 'kind: is required: one of Pod, ConfigMap, Secret, List'],
    ['hello\n', 'must be an object with apiVersion, kind and metadata'],
    ['- a\n', 'must be an object with apiVersion, kind and metadata'],
  ])('refuses %j aloud', (text, message) => {
    expect(messages(text)).toEqual([expect.stringContaining(message)]);
  });

  it('may be empty, hold comments only, or begin with a byte order mark', () => {
    expect(decode('')).toEqual({ objects: [], errors: [] });
    expect(decode('# nothing\n---\n# yet\n')).toEqual({ objects: [], errors: [] });
    expect(decode(`\uFEFF${configMap('a')}`).objects).toHaveLength(1);
  });

  it('larger than what the API server takes are refused unread', () => {
    expect(messages(`${configMap('a')}# ${'x'.repeat(3 * 2 ** 20)}`)).toEqual([
      'pod.yaml:1:1: is larger than 3 MiB, the largest manifest that is read',
    ]);
  });
});

describe('properties', () => {
  it('no text makes it throw, and every error has a place', () => {
    const words = fc.constantFrom(
      'apiVersion: v1\n',
      'kind: Pod\n',
      'kind: List\n',
      'items:\n',
      'spec:\n',
      '  containers:\n',
      '  - name: a\n',
      '- ',
      '---\n',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '<<: ',
      '"',
      'metadata: ',
      '\t',
      ': ',
      'null\n',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 20 }).map((parts) => parts.join('')),
        ),
        (text) => {
          for (const error of decode(text).errors) {
            expect(error.line).toBeGreaterThan(0);
            expect(error.column).toBeGreaterThan(0);
            expect(error.message).not.toBe('');
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('no JSON value makes the decoder of request bodies throw', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const tree = treeOf({ metadata: value, spec: value, status: { conditions: [value] } });
        if (tree !== undefined) expect(decodeTree('Pod', tree).errors).toBeInstanceOf(Array);
      }),
    );
  });

  it('what it decodes without error decodes to the same again', () => {
    const container = fc.record(
      {
        name: fc.string(),
        image: fc.string(),
        tty: fc.boolean(),
        command: fc.array(fc.string()),
        env: fc.array(fc.record({ name: fc.string(), value: fc.string() })),
        ports: fc.array(fc.record({ containerPort: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) })),
      },
      { requiredKeys: ['name'] },
    );
    fc.assert(
      fc.property(fc.array(container), fc.dictionary(fc.string(), fc.string()), (containers, labels) => {
        const pod = { metadata: { labels }, spec: { containers } };
        const { errors, value } = decodeTree('Pod', treeOf(pod)!);
        expect(errors).toEqual([]);
        expect(value).toEqual(pod);
      }),
    );
  });
});
