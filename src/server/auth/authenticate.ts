/**
 * Who sends a request to the kubelet's endpoints: the holder of a certificate of the client CA, of a token that the API
 * server knows, or nobody in particular where that is allowed. A credential that does not hold is never taken for none.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Logger } from '../../log.ts';
import { ttlCache } from './ttl-cache.ts';

export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** Undefined: the request must be refused. */
export type Authenticator = (req: IncomingMessage) => Promise<User | undefined>;

/** What the connection's client certificate says; undefined when it has none. */
export type ClientCertificate = (req: IncomingMessage) => User | { refused: string } | undefined;

/** Undefined when the token is not valid. @throws when that cannot be told */
export type TokenReviewer = (token: string) => Promise<User | undefined>;

export interface AuthenticatorOptions {
  clientCertificate: ClientCertificate;
  /** Undefined: tokens are not accepted. */
  tokens: { review: TokenReviewer; cacheTtlMs: number } | undefined;
  anonymous: boolean;
  log: Logger;
}

const maxTokens = 4096;
const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

export function authenticator({
  clientCertificate,
  tokens,
  anonymous: allowAnonymous,
  log,
}: AuthenticatorOptions): Authenticator {
  const reviewed = ttlCache<User | undefined>({
    ttlMs: () => tokens?.cacheTtlMs ?? 0,
    maxEntries: maxTokens,
    nowMs: () => performance.now(),
  });

  async function holderOf(token: string): Promise<User | undefined> {
    if (tokens === undefined) return undefined;
    // Not the token itself: what is kept might be seen in a heap snapshot.
    const key = createHash('sha256').update(token).digest('base64');
    return await reviewed.get(key, () => tokens.review(token));
  }

  return async (req) => {
    const certificate = clientCertificate(req);
    if (certificate && 'name' in certificate) return authenticated(certificate);
    const token = bearerToken(req);
    if (token !== undefined) {
      const user = await holderOf(token).catch((err: unknown) => {
        log.warn({ err }, 'cannot ask the API server whose token it is');
        return undefined;
      });
      if (user) return authenticated(user);
    }
    if (certificate) log.debug({ reason: certificate.refused }, 'refused a client certificate');
    const hasCredential = certificate !== undefined || token !== undefined;
    return allowAnonymous && !hasCredential ? anonymous : undefined;
  };
}

const authenticatedGroup = 'system:authenticated';

function authenticated(user: User): User {
  if (user.groups.includes(authenticatedGroup)) return user;
  return { ...user, groups: [...user.groups, authenticatedGroup] };
}

function bearerToken({ headers }: IncomingMessage): string | undefined {
  return /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}
