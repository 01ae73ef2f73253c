import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { knownKubeletFields, readConfigFile } from './document.ts';
import { parseFlags } from './flags.ts';

const header = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' };
const topLevelNames = [...new Set(Object.keys(knownKubeletFields).map((path) => path.split('.')[0]!))];
const flagNames = Object.values(knownKubeletFields).flatMap(({ flag }) => flag ?? []);

describe('whatever a file holds', () => {
  test('each of its fields is either set or told to be wrong', () => {
    const fields = fc.dictionary(
      fc.oneof(fc.constantFrom(...topLevelNames, 'toString', '__proto__'), fc.string()),
      fc.jsonValue({ maxDepth: 3 }),
    );
    fc.assert(
      fc.property(fields, (written) => {
        const { documents, problems } = readConfigFile(JSON.stringify({ ...written, ...header }), 'f');
        const told = new Set([
          ...documents.flatMap((d) => [...d.settings.keys()]),
          ...problems.map(({ path }) => path),
        ]);
        for (const [name, value] of Object.entries(written)) {
          const isEmptyStructure = !knownKubeletFields[name] && JSON.stringify(value) === '{}';
          if (name in header || (isEmptyStructure && topLevelNames.includes(name))) continue;
          expect(
            [...told].some(
              (path) => path === name || (/^[.[]/.test(path.slice(name.length)) && path.startsWith(name)),
            ),
          ).toBe(true);
        }
      }),
    );
  });

  test('nothing is thrown', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        readConfigFile(text, 'f');
        readConfigFile(`apiVersion: ${header.apiVersion}\nkind: ${header.kind}\n${text}`, 'f');
      }),
    );
  });
});

test('whatever the flags are, each has an effect, a warning or a problem', () => {
  const word = fc.oneof(
    fc.constantFrom(...flagNames.map((name) => `--${name}`)),
    fc.tuple(fc.constantFrom(...flagNames), fc.string()).map(([name, value]) => `--${name}=${value}`),
    fc.string(),
    fc.constantFrom('--constructor', '--__proto__=x', '-v', '--'),
  );
  fc.assert(
    fc.property(word, (flag) => {
      const { settings, agent, warnings, problems } = parseFlags([flag]);
      const effects = settings.size + Object.keys(agent).length + warnings.length + problems.length;
      expect(effects).toBeGreaterThan(0);
    }),
  );
});
