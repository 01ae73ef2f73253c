/** Whether a user may do what a request asks for: always, or as the API server says by SubjectAccessReview. */
import type { NodeAccess } from './access.ts';
import type { User } from './authenticate.ts';
import { ttlCache } from './ttl-cache.ts';

/** @throws when that cannot be told */
export type Authorizer = (user: User, access: NodeAccess) => Promise<boolean>;

export const alwaysAllow: Authorizer = async () => true;

/** The `spec` of a SubjectAccessReview of authorization.k8s.io/v1. */
export interface AccessReviewSpec {
  user: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
  resourceAttributes: { verb: string; version: 'v1'; resource: 'nodes'; subresource: string; name: string };
}

export interface WebhookAuthorizerOptions {
  nodeName: string;
  review(spec: AccessReviewSpec): Promise<boolean>;
  allowedTtlMs: number;
  deniedTtlMs: number;
}

const maxAnswers = 4096;

export function webhookAuthorizer(options: WebhookAuthorizerOptions): Authorizer {
  const { nodeName, review, allowedTtlMs, deniedTtlMs } = options;
  const answers = ttlCache<boolean>({
    ttlMs: (allowed) => (allowed ? allowedTtlMs : deniedTtlMs),
    maxEntries: maxAnswers,
    nowMs: () => performance.now(),
  });
  return async ({ name: user, uid, groups, extra }, { verb, subresources }) => {
    for (const subresource of subresources) {
      const spec: AccessReviewSpec = {
        user,
        ...(uid !== undefined && { uid }),
        groups,
        ...(extra && { extra }),
        resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName },
      };
      if (await answers.get(JSON.stringify(spec), () => review(spec))) return true;
    }
    return false;
  };
}
