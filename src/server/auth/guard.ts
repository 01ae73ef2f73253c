/** Lets a request to the kubelet's endpoints in, or refuses it in the kubelet's words. */
import type { Logger } from '../../log.ts';
import { ApiError } from '../errors.ts';
import type { IncomingRequest } from '../listener.ts';
import { nodeAccess } from './access.ts';
import type { Authenticator } from './authenticate.ts';
import type { Authorizer } from './authorize.ts';

export interface GuardOptions {
  authenticate: Authenticator;
  authorize: Authorizer;
  log: Logger;
}

/** The function throws ApiError Unauthorized, Forbidden or InternalError. */
export function guard({ authenticate, authorize, log }: GuardOptions) {
  return async ({ req, method, path }: IncomingRequest): Promise<void> => {
    const user = await authenticate(req);
    if (!user) throw new ApiError('Unauthorized', 'Unauthorized');
    const access = nodeAccess(method, path);
    const what = `user=${user.name}, verb=${access.verb}, resource=nodes`;
    const subresources = access.subresources.join(' ');
    let allowed: boolean;
    try {
      allowed = await authorize(user, access);
    } catch (cause) {
      const message = `Authorization error (${what}, subresource(s)=[${subresources}])`;
      throw new ApiError('InternalError', message, undefined, { cause });
    }
    if (allowed) return;
    log.debug({ user: user.name, verb: access.verb, path }, 'forbade a request');
    throw new ApiError('Forbidden', `Forbidden (${what}, subresource(s)=[${subresources}])\n`);
  };
}
