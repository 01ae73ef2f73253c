import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, Secret } from '../api/core.gen.ts';
import type { ObjectReader } from '../sources/source.ts';
import type { CredentialProvider } from './credential-provider.ts';
import { createCredentialSource, dockerConfigPaths } from './credentials.ts';
import { parseImageReference } from './reference.ts';

const image = parseImageReference('ghcr.io/team/app') ?? { domain: '', path: '' };
const dockerConfig = (user: string) =>
  JSON.stringify({ auths: { 'ghcr.io': { username: user, password: 'p' } } });
const secretOf = (type: string, key: string, text: string): Secret => ({
  type,
  data: { [key]: Buffer.from(text).toString('base64') },
});
const holding = (secrets: Record<string, Secret>): ObjectReader => ({
  configMap: async () => undefined,
  secret: async (namespace, name) => (namespace === 'default' ? secrets[name] : undefined),
  onObjectChange: () => () => undefined,
});
const { signal } = new AbortController();
const providerOf = (name: string, ...registries: string[]): CredentialProvider => ({
  name,
  credentials: async () =>
    registries.map((registry) => ({ registry, auth: { username: `${name} of ${registry}`, password: 'p' } })),
});
const podWith = (...names: string[]): Pod => ({
  metadata: { name: 'p', namespace: 'default' },
  spec: { containers: [], imagePullSecrets: names.map((name) => ({ name })) },
});

describe('credentialsFor', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-credentials-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("takes the pod's secrets before the node's files, and those before what providers give", async () => {
    await writeFile(join(dir, 'config.json'), dockerConfig('node'));
    const source = createCredentialSource({
      objects: holding({
        one: secretOf('kubernetes.io/dockerconfigjson', '.dockerconfigjson', dockerConfig('one')),
        old: secretOf(
          'kubernetes.io/dockercfg',
          '.dockercfg',
          '{"ghcr.io":{"username":"old","password":"p"}}',
        ),
      }),
      configPaths: [join(dir, 'missing.json'), join(dir, 'config.json')],
      providers: [providerOf('first', 'ghcr.io'), providerOf('second', 'ghcr.io', 'ghcr.io/team')],
    });
    const { auths, problems } = await source.credentialsFor(podWith('one', 'old'), image, signal);
    expect(auths.map(({ username }) => username)).toEqual([
      'one',
      'old',
      'node',
      'second of ghcr.io/team',
      'first of ghcr.io',
      'second of ghcr.io',
    ]);
    expect(problems).toEqual([]);
  });

  it('tells what it could not use and goes on with the rest', async () => {
    await writeFile(join(dir, 'config.json'), 'nonsense');
    const source = createCredentialSource({
      objects: holding({
        good: secretOf('kubernetes.io/dockerconfigjson', '.dockerconfigjson', dockerConfig('good')),
        opaque: { type: 'Opaque', data: {} },
        empty: { type: 'kubernetes.io/dockercfg', data: {} },
      }),
      configPaths: [join(dir, 'config.json')],
      providers: [
        {
          name: 'broken',
          credentials: async () => {
            throw new Error('it ended with 3');
          },
        },
      ],
    });
    const { auths, problems } = await source.credentialsFor(
      podWith('gone', 'opaque', 'empty', 'good'),
      image,
      signal,
    );
    expect(auths.map(({ username }) => username)).toEqual(['good']);
    expect(problems).toEqual([
      'secret default/gone: it does not exist',
      'secret default/opaque: its type is Opaque; a pull secret is of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg',
      'secret default/empty: it has no key .dockercfg',
      `${join(dir, 'config.json')}: it is not JSON`,
      'credential provider broken: it ended with 3',
    ]);
  });

  it('sees a changed file at the next pull', async () => {
    const source = createCredentialSource({
      objects: holding({}),
      configPaths: [join(dir, 'config.json')],
      providers: [],
    });
    expect((await source.credentialsFor(podWith(), image, signal)).auths).toEqual([]);
    await writeFile(join(dir, 'config.json'), dockerConfig('new'));
    expect((await source.credentialsFor(podWith(), image, signal)).auths).toHaveLength(1);
  });
});

describe('dockerConfigPaths', () => {
  it('looks where the kubelet and the Docker client look, once each', () => {
    expect(dockerConfigPaths('/var/lib/kubelet', { HOME: '/root', DOCKER_CONFIG: '/etc/docker' })).toEqual([
      '/var/lib/kubelet/config.json',
      '/etc/docker/config.json',
      '/root/.docker/config.json',
    ]);
    expect(dockerConfigPaths('/srv/roslet', {})).toEqual([
      '/srv/roslet/config.json',
      '/var/lib/kubelet/config.json',
    ]);
  });
});
