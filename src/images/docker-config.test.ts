import { describe, expect, it } from 'vitest';
import { matchingCredentials, parseDockerConfig } from './docker-config.ts';
import { parseImageReference } from './reference.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const config = (...registries: string[]) =>
  JSON.stringify({
    auths: Object.fromEntries(
      registries.map((registry) => [registry, { username: registry, password: 'x' }]),
    ),
  });
const found = (image: string, ...registries: string[]) => {
  const reference = parseImageReference(image);
  if (reference === undefined) throw new Error(`${image} is no image`);
  return matchingCredentials(parseDockerConfig(config(...registries), 'config.json'), reference).map(
    ({ username }) => username,
  );
};

describe('parseDockerConfig', () => {
  it('reads user and password, plain or encoded, and tokens', () => {
    const text = JSON.stringify({
      auths: {
        'a.example': { auth: `${base64('user:pa:ss\0\0')}` },
        'b.example': { username: 'u', password: 'p' },
        'c.example': { identitytoken: 'id', registrytoken: 'reg' },
      },
      credsStore: 'desktop',
    });
    expect(parseDockerConfig(text, 'config.json').map(({ auth }) => auth)).toEqual([
      { username: 'user', password: 'pa:ss' },
      { username: 'u', password: 'p' },
      { identityToken: 'id', registryToken: 'reg' },
    ]);
  });
  it('reads the older format', () => {
    expect(parseDockerConfig('{"a.example":{"username":"u","password":"p"}}', 'dockercfg')).toHaveLength(1);
  });
  it('has no credentials in an empty configuration', () =>
    expect(parseDockerConfig('{}', 'config.json')).toEqual([]));
  it.each([
    ['secret-word', 'not JSON'],
    ['[]', 'not a JSON object'],
    ['{"auths":[]}', 'auths is not an object'],
    ['{"auths":{"a.example":"secret-word"}}', 'a.example is not an object'],
    ['{"auths":{"a.example":{"auth":"c2VjcmV0LXdvcmQ="}}}', 'not base64 of user:password'],
    ['{"auths":{"a.example":{"password":["secret-word"]}}}', 'password of a.example is not a string'],
  ])('refuses %s without telling what is in it', (text, message) => {
    expect(() => parseDockerConfig(text, 'config.json')).toThrow(message);
    expect(() => parseDockerConfig(text, 'config.json')).not.toThrow('secret-word');
  });
});

describe('matchingCredentials', () => {
  it.each([
    ['the registry', 'ghcr.io/a/b', 'ghcr.io'],
    ['the registry as a URL', 'ghcr.io/a/b', 'https://ghcr.io/v2/'],
    ['the path', 'ghcr.io/team/b', 'ghcr.io/team'],
    ['a whole part of the path', 'ghcr.io/team/b', 'https://ghcr.io/v2/team/'],
    ['the port', '10.0.0.1:5000/a', '10.0.0.1:5000'],
    ['a wildcard', 'eu.gcr.example/a', '*.gcr.example'],
    ['a wildcard in a label', 'eu-west.gcr.example/a', 'eu-*.gcr.example'],
    ['the default registry', 'nginx', 'docker.io'],
    ['the default registry by its old name', 'nginx', 'https://index.docker.io/v1/'],
  ])('finds those of %s', (_, image, registry) => expect(found(image, registry)).toEqual([registry]));
  it.each([
    ['another registry', 'ghcr.io/a', 'quay.io'],
    ['another path', 'ghcr.io/other/b', 'ghcr.io/team'],
    ['a path that only begins so', 'ghcr.io/teammate/b', 'ghcr.io/team/'],
    ['another port', '10.0.0.1:5000/a', '10.0.0.1:5001'],
    ['a port where none is asked for', '10.0.0.1:5000/a', '10.0.0.1'],
    ['more labels than the wildcard has', 'a.b.gcr.example/a', '*.gcr.example'],
    ['the end of a name', 'evil-ghcr.io/a', 'ghcr.io'],
    ['a dot that is none', 'ghcrXio.example/a', 'ghcr.io.example'],
  ])('leaves alone those of %s', (_, image, registry) => expect(found(image, registry)).toEqual([]));
  it('tries the most specific first', () => {
    expect(found('ghcr.io/team/b/c', 'ghcr.io', 'ghcr.io/team/b', 'ghcr.io/team')).toEqual([
      'ghcr.io/team/b',
      'ghcr.io/team',
      'ghcr.io',
    ]);
  });
});
