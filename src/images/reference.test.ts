import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatImageReference, parseImageReference, repositoryOf, withDefaultTag } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseImageReference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['robot/driver', 'docker.io/robot/driver:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/robot/driver', 'docker.io/robot/driver:latest'],
    ['ghcr.io/a/b/c:v1', 'ghcr.io/a/b/c:v1'],
    ['localhost/a', 'localhost/a:latest'],
    ['localhost:5000/a', 'localhost:5000/a:latest'],
    ['127.0.0.1:5000/a:b', '127.0.0.1:5000/a:b'],
    ['[::1]:5000/a', '[::1]:5000/a:latest'],
    ['Registry/a', 'Registry/a:latest'],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`],
    ['a__b/c-d.e', 'docker.io/a__b/c-d.e:latest'],
  ])('%s is %s', (text, normalized) => {
    const reference = parseImageReference(text);
    expect(reference && formatImageReference(withDefaultTag(reference))).toBe(normalized);
  });
  it.each([
    '',
    'Nginx',
    'nginx:',
    'nginx:a b',
    ':latest',
    'a//b',
    '/a',
    'a/',
    'a_-b',
    '-a',
    `nginx:${'a'.repeat(129)}`,
    'nginx@sha256:abc',
    'nginx@sha256',
    'a'.repeat(256),
    'b'.repeat(64),
    'https://example.com/a',
    'example.com:port/a',
  ])("'%s' is none", (text) => expect(parseImageReference(text)).toBeUndefined());

  const name = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/);
  const reference = fc.record({
    domain: fc.constantFrom('docker.io', 'ghcr.io', 'localhost:5000', '10.0.0.1:80', 'LOCAL'),
    path: fc.array(name, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/')),
    tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined }),
    digest: fc.option(fc.constant(digest), { nil: undefined }),
  });
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(reference, (given) => {
        expect(parseImageReference(formatImageReference(given))).toEqual(JSON.parse(JSON.stringify(given)));
      }),
    );
  });
  it('takes any text without failing, and its own normal form for the same', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const parsed = parseImageReference(text);
        if (parsed !== undefined) expect(parseImageReference(formatImageReference(parsed))).toEqual(parsed);
      }),
    );
  });
  it('names the repository that credentials are for', () => {
    expect(repositoryOf(parseImageReference('nginx:1') ?? { domain: '', path: '' })).toBe(
      'docker.io/library/nginx',
    );
  });
});
