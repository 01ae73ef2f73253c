import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfigMap, Container, Secret } from '../../api/core.gen.ts';
import type { ObjectReader } from '../../sources/source.ts';
import { makeEnv } from './env.ts';

const configMaps: Record<string, ConfigMap> = {
  settings: { data: { RATE: '50', 'log.level': 'debug', '1ST': 'one' }, binaryData: { BLOB: 'AAEC' } },
  nul: { data: { KEY: 'a\0b' } },
};
const secrets: Record<string, Secret> = {
  login: { data: { USER: Buffer.from('ros').toString('base64') }, stringData: { PASS: 'p$(RATE)' } },
};

const objects: ObjectReader = {
  configMap: async (namespace, name) => (namespace === 'ns' ? configMaps[name] : undefined),
  secret: async (namespace, name) => (namespace === 'ns' ? secrets[name] : undefined),
  onObjectChange: () => () => {},
};

const node = { nodeName: 'robot', hostIps: ['10.0.0.1'], allocatable: { cpu: 2000 } };

const make = (container: Omit<Container, 'name'>, reader = objects) =>
  makeEnv(
    {
      pod: { metadata: { name: 'p', namespace: 'ns' }, spec: { containers: [] } },
      container: { name: 'c', ...container },
      podIps: ['10.1.0.2'],
    },
    node,
    reader,
    new AbortController().signal,
  );

const envOf = async (container: Omit<Container, 'name'>) => Object.fromEntries((await make(container)).envs);

describe('the environment', () => {
  test('takes text keys of config maps and all of secrets, with a prefix, not expanded', async () => {
    expect(
      await envOf({
        envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'DB_', secretRef: { name: 'login' } }],
      }),
    ).toEqual({ RATE: '50', 'log.level': 'debug', '1ST': 'one', DB_USER: 'ros', DB_PASS: 'p$(RATE)' });
  });

  test('lets env override envFrom, and refer to it and to what was defined before', async () => {
    expect(
      await envOf({
        envFrom: [{ configMapRef: { name: 'settings' } }],
        env: [
          { name: 'A', value: '$(RATE)-$(B)-$$(RATE)' },
          { name: 'B', value: 'b' },
          { name: 'C', value: '$(A)$(B)' },
          { name: 'RATE', value: '$(RATE)0' },
          { name: 'D', value: '$(RATE)' },
          { name: 'E' },
        ],
      }),
    ).toMatchObject({ A: '50-$(B)-$(RATE)', B: 'b', C: '50-$(B)-$(RATE)b', RATE: '500', D: '500', E: '' });
  });

  test('keeps the order of definition', async () => {
    const { envs } = await make({ env: ['Z', 'A', 'M', 'Z'].map((name) => ({ name, value: name })) });
    expect([...envs.keys()]).toEqual(['Z', 'A', 'M']);
  });

  test('resolves every kind of source', async () => {
    expect(
      await envOf({
        resources: { limits: { cpu: '500m' } },
        env: [
          { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
          { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'settings', key: 'RATE' } } },
          { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'login', key: 'USER' } } },
        ],
      }),
    ).toEqual({ NODE: 'robot', IP: '10.1.0.2', CPU: '500', KEY: '50', SECRET: 'ros' });
  });

  test('leaves out what is optional and not there', async () => {
    expect(
      await envOf({
        envFrom: [
          { configMapRef: { name: 'x', optional: true } },
          { secretRef: { name: 'x', optional: true } },
        ],
        env: [
          { name: 'A', valueFrom: { configMapKeyRef: { name: 'x', key: 'k', optional: true } } },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k', optional: true } } },
          { name: 'C', valueFrom: { secretKeyRef: { name: 'login', key: 'k', optional: true } } },
        ],
      }),
    ).toEqual({});
  });

  test.each<[Omit<Container, 'name'>, string]>([
    [{ envFrom: [{ configMapRef: { name: 'x' } }] }, 'configmap "x" not found'],
    [{ envFrom: [{ secretRef: { name: 'x' } }] }, 'secret "x" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'x', key: 'k' } } }] },
      'configmap "x" not found',
    ],
    [{ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'x', key: 'k' } } }] }, 'secret "x" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k' } } }] },
      "couldn't find key k in ConfigMap ns/settings",
    ],
    [
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'login', key: 'k' } } }] },
      "couldn't find key k in Secret ns/login",
    ],
    [{ envFrom: [{ configMapRef: { name: 'nul' } }] }, 'KEY holds a NUL character'],
  ])('is refused for %j', async (container, message) => {
    await expect(make(container)).rejects.toMatchObject({
      reason: 'CreateContainerConfigError',
      message: expect.stringContaining(message),
    });
  });

  test('skips names that no process can be given, and says so', async () => {
    const { envs, warnings } = await make({
      envFrom: [{ prefix: 'a=', configMapRef: { name: 'settings' } }],
    });
    expect(envs.size).toBe(0);
    expect(warnings).toEqual([
      {
        reason: 'InvalidEnvironmentVariableNames',
        message:
          'Keys [a=1ST, a=RATE, a=log.level] from the EnvFrom configmap ns/settings were skipped since they are ' +
          'considered invalid environment variable names.',
      },
    ]);
  });

  test('reads each object once, so that it never mixes two versions', async () => {
    let version = 0;
    const reader: ObjectReader = {
      ...objects,
      configMap: async () => {
        version += 1;
        return { data: { V: `${version}` } };
      },
    };
    const fromKey = { configMapKeyRef: { name: 'm', key: 'V' } };
    const { envs } = await make(
      {
        envFrom: [{ configMapRef: { name: 'm' } }],
        env: [
          { name: 'A', valueFrom: fromKey },
          { name: 'B', valueFrom: fromKey },
        ],
      },
      reader,
    );
    expect(Object.fromEntries(envs)).toEqual({ V: '1', A: '1', B: '1' });
  });

  test('depends only on what was defined before', async () => {
    const name = fc.constantFrom('A', 'B', 'C');
    const variable = fc.record({
      name,
      value: fc
        .array(
          fc.oneof(
            fc.constantFrom('$$', '$', 'x', '$('),
            name.map((n) => `$(${n})`),
          ),
        )
        .map((p) => p.join('')),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(variable), fc.array(variable), async (first, second) => {
        const alone = (await make({ env: first })).envs;
        const both = (await make({ env: [...first, ...second] })).envs;
        const overridden = new Set<string>(second.map((v) => v.name));
        for (const [key, value] of alone) if (!overridden.has(key)) expect(both.get(key)).toBe(value);
      }),
    );
  });
});
