import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../log.ts';
import { type AuthenticatorOptions, authenticator, type User } from './authenticate.ts';
import { type AccessReviewSpec, webhookAuthorizer } from './authorize.ts';

const request = (authorization?: string) => ({ headers: { authorization } }) as IncomingMessage;
const alice: User = { name: 'alice', groups: ['dev'] };

const authenticate = (over: Partial<AuthenticatorOptions>, authorization?: string) =>
  authenticator({
    clientCertificate: () => undefined,
    tokens: undefined,
    anonymous: false,
    log: silentLogger(),
    ...over,
  })(request(authorization));

describe('authenticator', () => {
  const tokens = {
    review: async (token: string) => {
      if (token === 'broken') throw new Error('no answer');
      return token === 'good' ? { name: 'sa', groups: ['system:authenticated'] } : undefined;
    },
    cacheTtlMs: 1000,
  };
  const certificate = { clientCertificate: () => alice };
  const refused = { clientCertificate: () => ({ refused: 'expired' }) };

  it.each<[string, Partial<AuthenticatorOptions>, string | undefined, string | undefined]>([
    ['a certificate', certificate, undefined, 'alice'],
    ['a certificate before a token', { ...certificate, tokens }, 'Bearer good', 'alice'],
    ['a token', { tokens }, 'Bearer good', 'sa'],
    ['a token, however its scheme is written', { tokens }, 'bEARER  good ', 'sa'],
    ['a token beside a certificate that does not hold', { ...refused, tokens }, 'Bearer good', 'sa'],
    ['nobody by a wrong token', { tokens }, 'Bearer bad', undefined],
    ['nobody by a token that cannot be asked for', { tokens }, 'Bearer broken', undefined],
    ['nobody by a token where none are accepted', {}, 'Bearer good', undefined],
    ['nobody by another scheme', { tokens }, 'Basic good', undefined],
    ['nobody by nothing', { tokens }, undefined, undefined],
    ['nobody by a certificate that does not hold', refused, undefined, undefined],
    ['anyone where that is allowed', { anonymous: true }, undefined, 'system:anonymous'],
    ['not anyone with a wrong token', { anonymous: true, tokens }, 'Bearer bad', undefined],
    ['not anyone with a wrong certificate', { anonymous: true, ...refused }, undefined, undefined],
  ])('knows %s', async (_, over, authorization, name) => {
    expect((await authenticate(over, authorization))?.name).toBe(name);
  });

  it('puts the known into a group, and the others into another', async () => {
    expect(await authenticate(certificate)).toEqual({
      name: 'alice',
      groups: ['dev', 'system:authenticated'],
    });
    expect(await authenticate({ tokens }, 'Bearer good')).toEqual({
      name: 'sa',
      groups: ['system:authenticated'],
    });
    expect(await authenticate({ anonymous: true })).toEqual({
      name: 'system:anonymous',
      groups: ['system:unauthenticated'],
    });
  });

  it('asks for a token once, and again when there was no answer', async () => {
    const asked: string[] = [];
    const review = async (token: string) => {
      asked.push(token);
      return tokens.review(token);
    };
    const known = authenticator({
      clientCertificate: () => undefined,
      tokens: { review, cacheTtlMs: 60_000 },
      anonymous: false,
      log: silentLogger(),
    });
    for (const token of ['good', 'good', 'bad', 'bad', 'broken', 'broken'])
      await known(request(`Bearer ${token}`));
    expect(asked).toEqual(['good', 'bad', 'broken', 'broken']);
  });
});

describe('webhookAuthorizer', () => {
  const setUp = (allowed: (spec: AccessReviewSpec) => boolean) => {
    const asked: AccessReviewSpec[] = [];
    const authorize = webhookAuthorizer({
      nodeName: 'robot',
      review: async (spec) => {
        asked.push(spec);
        return allowed(spec);
      },
      allowedTtlMs: 60_000,
      deniedTtlMs: 0,
    });
    return { asked, authorize };
  };

  it('asks for the verb on each subresource of this node until one is allowed', async () => {
    const { asked, authorize } = setUp((spec) => spec.resourceAttributes.subresource === 'proxy');
    const user = { ...alice, uid: 'u', extra: { scope: ['x'] } };
    expect(await authorize(user, { verb: 'get', subresources: ['pods', 'proxy'] })).toBe(true);
    const attributes = (subresource: string) => ({
      user: 'alice',
      uid: 'u',
      groups: ['dev'],
      extra: { scope: ['x'] },
      resourceAttributes: { verb: 'get', version: 'v1', resource: 'nodes', subresource, name: 'robot' },
    });
    expect(asked).toEqual([attributes('pods'), attributes('proxy')]);
    expect(await authorize(user, { verb: 'create', subresources: ['pods'] })).toBe(false);
  });

  it('keeps what was allowed, for this user and request alone', async () => {
    const { asked, authorize } = setUp(({ user }) => user === 'alice');
    const access = { verb: 'get', subresources: ['metrics'] };
    for (let i = 0; i < 3; i += 1) expect(await authorize(alice, access)).toBe(true);
    expect(asked).toHaveLength(1);
    expect(await authorize({ ...alice, name: 'bob' }, access)).toBe(false);
    await authorize({ ...alice, groups: ['ops'] }, access);
    await authorize(alice, { ...access, verb: 'create' });
    expect(asked).toHaveLength(4);
  });

  it('asks again after a refusal, by the time set for it', async () => {
    const { asked, authorize } = setUp(() => false);
    const access = { verb: 'get', subresources: ['metrics'] };
    for (let i = 0; i < 2; i += 1) expect(await authorize(alice, access)).toBe(false);
    expect(asked).toHaveLength(2);
  });
});
