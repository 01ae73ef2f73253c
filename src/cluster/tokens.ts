/**
 * Tokens of service accounts, bound to the pod that gets them (TokenRequest API): asked for when a pod first needs one,
 * renewed after 80 % of their life or a day, and kept on disk for root alone. When the API server is out of reach the
 * last one stays, as a pod is better off with an old token than with none.
 */
import type { Pod, ServiceAccountTokenProjection } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podName, podNamespace, podUid } from '../pods/identity.ts';
import type { Store } from '../store/store.ts';
import { apiPath, type KubeClient } from './client.ts';
import { ApiUnreachableError } from './errors.ts';
import type { TokenRequest } from './types.ts';

export interface TokensOptions {
  client: KubeClient;
  store: Store;
  now: () => number;
  log: Logger;
}

export class ServiceAccountTokens {
  readonly #o: TokensOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #asking = new Map<string, Promise<Token>>();

  constructor(options: TokensOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#o.store.load<Token>(recordKind)) this.#tokens.set(key, value);
  }

  async token(pod: Pod, wanted: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string> {
    const { audience = '', expirationSeconds = 3600 } = wanted;
    const account = pod.spec?.serviceAccountName ?? 'default';
    const key = JSON.stringify([podUid(pod), account, audience, expirationSeconds]);
    const known = this.#tokens.get(key);
    if (known !== undefined && !isDue(known, this.#o.now())) return known.token;
    const asking =
      this.#asking.get(key) ??
      this.#ask(pod, account, audience, expirationSeconds, key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    try {
      return (await Promise.race([asking, aborted(signal)])).token;
    } catch (error) {
      const isLate =
        known === undefined || (this.#o.now() >= known.expiresMs && !(error instanceof ApiUnreachableError));
      if (isLate || signal.aborted) throw error;
      this.#o.log.debug({ err: error, podUid: podUid(pod) }, 'cannot renew a token, the last one stays');
      return known.token;
    }
  }

  /** Those of pods that are gone. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const key of this.#tokens.keys()) {
      if (uids.has((JSON.parse(key) as string[])[0] ?? '')) continue;
      this.#tokens.delete(key);
      this.#o.store.delete(recordKind, key).catch((err: unknown) => {
        this.#o.log.error({ err }, 'cannot remove a token from the disk');
      });
    }
  }

  async #ask(
    pod: Pod,
    account: string,
    audience: string,
    expirationSeconds: number,
    key: string,
  ): Promise<Token> {
    const { client, now, store, log } = this.#o;
    const askedMs = now();
    const answer = await client.create<TokenRequest>(
      apiPath({
        resource: 'serviceaccounts',
        namespace: podNamespace(pod),
        name: account,
        subresource: 'token',
      }),
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience === '' ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName(pod), uid: podUid(pod) },
        },
      } satisfies TokenRequest,
      // Several pods' volumes may wait for it: it ends by its own limit.
      new AbortController().signal,
    );
    if (answer.status === undefined)
      throw new Error('the API server answered a TokenRequest without a token');
    const token: Token = {
      token: answer.status.token,
      askedMs,
      expiresMs: Date.parse(answer.status.expirationTimestamp),
    };
    this.#tokens.set(key, token);
    store.put(recordKind, key, token).catch((err: unknown) => {
      log.error({ err }, 'cannot keep a token; a reboot without the API server would not have it');
    });
    return token;
  }
}

interface Token {
  token: string;
  /** Epoch. */
  askedMs: number;
  expiresMs: number;
}

const recordKind = 'cluster-tokens';
const longestMs = 24 * 3600_000;

/** A clock that was set back makes it due too: its age is not known then. */
function isDue({ askedMs, expiresMs }: Token, nowMs: number): boolean {
  const ageMs = nowMs - askedMs;
  return ageMs < 0 || ageMs > Math.min((expiresMs - askedMs) * 0.8, longestMs);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
