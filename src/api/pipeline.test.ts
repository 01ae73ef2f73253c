/** From a decoded pod to its verdict: whatever the schema allows can be defaulted and judged. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Pod } from './core.gen.ts';
import { decodeTree } from './decode-value.ts';
import { defaultPod } from './defaults.ts';
import { type FieldType, fieldsOf, type ScalarType } from './schema.ts';
import { unsupportedFields } from './support.ts';
import { treeOf } from './tree.ts';
import { validatePod } from './validate.ts';

const scalars: Record<ScalarType, fc.Arbitrary<unknown>> = {
  string: fc.constantFrom(
    '',
    'a',
    'main',
    'A b',
    '../x',
    'Always',
    'metadata.name',
    "metadata.labels['a']",
    'Localhost',
  ),
  boolean: fc.boolean(),
  number: fc.integer(),
  int: fc.integer(),
  int32: fc.integer(),
  byte: fc.constantFrom('', 'YQ=='),
  quantity: fc.constantFrom('0', '1', '-1', '100m', '64Mi', '1e3'),
  time: fc.constant('2026-01-01T00:00:00Z'),
  intOrString: fc.oneof(fc.integer(), fc.constantFrom('http', '80')),
  any: fc.constant({}),
};

function arbitraryOf(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'scalar':
      return scalars[type.scalar];
    case 'list':
      return fc.array(arbitraryOf(type.of, depth), { maxLength: 2 });
    case 'map':
      return fc.dictionary(
        fc.constantFrom('cpu', 'memory', 'hugepages-2Mi', 'a/b', 'x'),
        arbitraryOf(type.of, depth),
        { maxKeys: 2 },
      );
    case 'object':
      return objectOf(type.typeName, depth + 1);
  }
}

/** All required fields and some of the others; fewer the deeper, or there would be no end. */
function objectOf(typeName: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const all = [...fieldsOf(typeName).values()];
  const required = all.filter((field) => field.isRequired);
  const maxLength = Math.min(all.length, Math.max(0, 7 - depth));
  return fc.subarray(all, { maxLength }).chain((chosen) => {
    const fields = new Map(
      [...chosen, ...required].map((field) => [field.name, arbitraryOf(field.type, depth)]),
    );
    return fc.record(Object.fromEntries(fields));
  });
}

it('nothing that decodes makes it throw, and a pod that is judged twice is judged alike', () => {
  const pod = fc.record({ metadata: objectOf('ObjectMeta', 1), spec: objectOf('PodSpec', 0) });
  fc.assert(
    fc.property(pod, (given) => {
      const { errors, value } = decodeTree('Pod', treeOf(given)!);
      expect(errors).toEqual([]);
      const defaulted = defaultPod(value as Pod);
      const problems = [...validatePod(defaulted), ...unsupportedFields(defaulted)];
      for (const { message, path } of problems) {
        expect(path).toMatch(/^(metadata|spec)/);
        expect(message).toMatch(/\w/);
      }
      expect([...validatePod(defaultPod(defaulted)), ...unsupportedFields(defaulted)]).toEqual(problems);
    }),
    { numRuns: 200 },
  );
});
