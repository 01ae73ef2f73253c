/** Asks the API server whose a token is, and what a user may do: TokenReview and SubjectAccessReview. */
import type { User } from '../server/auth/authenticate.ts';
import type { Reviews } from '../server/kubelet-server.ts';
import { apiPath, type KubeClient, pause } from './client.ts';
import { ApiStatusError } from './errors.ts';

/** A client waits for the answer: not longer than it would. */
const timeoutMs = 10_000;
const tries = 4;
const firstRetryMs = 200;

/** @param signal ends what is asked when the agent ends */
export function reviews(client: KubeClient, signal: AbortSignal): Reviews {
  async function ask<T>(group: string, kind: string, resource: string, spec: object): Promise<T> {
    const body = { apiVersion: `${group}/v1`, kind, spec };
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = apiPath({ group, resource });
        return await client.request<T>({ method: 'POST', path, body, timeoutMs }, signal);
      } catch (err) {
        const isFinal = err instanceof ApiStatusError && err.code < 500 && err.code !== 429;
        if (isFinal || attempt === tries || signal.aborted) throw err;
        await pause(firstRetryMs * 1.5 ** (attempt - 1) * (0.8 + 0.4 * Math.random()), signal);
      }
    }
  }

  return {
    token: async (token) => {
      const { status } = await ask<TokenReview>('authentication.k8s.io', 'TokenReview', 'tokenreviews', {
        token,
      });
      return status?.authenticated ? userOf(status.user) : undefined;
    },
    access: async (spec) => {
      const { status } = await ask<AccessReview>(
        'authorization.k8s.io',
        'SubjectAccessReview',
        'subjectaccessreviews',
        spec,
      );
      return status?.allowed === true;
    },
  };
}

interface TokenReview {
  status?: { authenticated?: boolean; user?: ReviewedUser };
}

interface ReviewedUser {
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

interface AccessReview {
  status?: { allowed?: boolean };
}

function userOf({ username, uid, groups = [], extra }: ReviewedUser = {}): User | undefined {
  if (!username) return undefined;
  return { name: username, groups, ...(uid && { uid }), ...(extra && { extra }) };
}
