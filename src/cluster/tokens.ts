/**
 * Tokens of service accounts, bound to the pod that gets them (TokenRequest API): asked for when a pod first needs one,
 * renewed after 80 % of their life or a day, and kept on disk for root alone. Nobody waits for a renewal: while the API
 * server is out of reach the last one stays, as a pod is better off with an old token than with none, and supervised.
 */
import type { Pod, ServiceAccountTokenProjection } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podName, podNamespace, podUid } from '../pods/identity.ts';
import type { Store } from '../store/store.ts';
import { untilAborted } from '../until-aborted.ts';
import { apiPath, type KubeClient, pause, retryDelayMs } from './client.ts';
import type { TokenRequest } from './types.ts';

export interface TokensOptions {
  client: KubeClient;
  store: Store;
  /** A pod's volumes can show a newer token. */
  onRenewed(podUid: string): void;
  now: () => number;
  log: Logger;
}

export class ServiceAccountTokens {
  readonly #o: TokensOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #asking = new Map<string, Asking>();
  readonly #renewals = new Map<string, Renewal>();
  readonly #signal: AbortSignal;

  /** @param signal ends all that is asked for */
  constructor(options: TokensOptions, signal: AbortSignal) {
    this.#o = options;
    this.#signal = signal;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#o.store.load<Token>(recordKind)) this.#tokens.set(key, value);
  }

  async token(pod: Pod, wanted: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string> {
    const asked = requestOf(pod, wanted);
    const known = this.#tokens.get(asked.key);
    if (known === undefined) return (await untilAborted(this.#ask(asked), signal)).token;
    if (!isDue(known, this.#o.now())) return known.token;
    const { firstTry } = this.#renewals.get(asked.key) ?? this.#renew(asked);
    // Of no use to anybody: worth a moment, once.
    if (this.#o.now() >= known.expiresMs) await untilAborted(firstTry, signal);
    return (this.#tokens.get(asked.key) ?? known).token;
  }

  /** Those of pods that are gone. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const [key, { ending }] of this.#asking) if (!uids.has(uidIn(key))) ending.abort();
    for (const key of this.#tokens.keys()) {
      if (uids.has(uidIn(key))) continue;
      this.#tokens.delete(key);
      this.#renewals.get(key)?.ending.abort();
      this.#o.store.delete(recordKind, key).catch((err: unknown) => {
        this.#o.log.error({ err }, 'cannot remove a token from the disk');
      });
    }
  }

  /** Goes on until there is a newer one, or the pod is gone. */
  #renew(asked: Asked): Renewal {
    const { log, onRenewed } = this.#o;
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#signal]);
    const firstTry = Promise.withResolvers<void>();
    const untilRenewed = async (): Promise<void> => {
      for (let failures = 1; !signal.aborted; failures += 1) {
        try {
          await this.#ask(asked);
          if (!signal.aborted) onRenewed(asked.uid);
          return;
        } catch (err) {
          if (signal.aborted) return;
          const level = failures === 1 ? 'warn' : 'debug';
          log[level]({ err, podUid: asked.uid }, 'cannot renew a token, the last one stays');
          firstTry.resolve();
          await this.#o.client.untilRetry(retryDelayMs(failures, err, backoff), signal);
        }
      }
    };
    const renewal = { firstTry: Promise.race([firstTry.promise, pause(expiredWaitMs, signal)]), ending };
    this.#renewals.set(asked.key, renewal);
    void untilRenewed().finally(() => {
      firstTry.resolve();
      this.#renewals.delete(asked.key);
    });
    return renewal;
  }

  /** One request at a time for each token, whoever waits for it. */
  #ask(asked: Asked): Promise<Token> {
    const known = this.#asking.get(asked.key);
    if (known !== undefined) return known.token;
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#signal]);
    const token = this.#request(asked, signal).finally(() => this.#asking.delete(asked.key));
    this.#asking.set(asked.key, { token, ending });
    return token;
  }

  async #request({ key, path, body }: Asked, signal: AbortSignal): Promise<Token> {
    const { client, now, store, log } = this.#o;
    const askedMs = now();
    const answer = await client.create<TokenRequest>(path, body, signal);
    if (answer.status === undefined)
      throw new Error('the API server answered a TokenRequest without a token');
    const { token: text, expirationTimestamp } = answer.status;
    const { expirationSeconds } = answer.spec ?? {};
    // For how long, by our own clock: that of the API server may be another.
    const expiresMs =
      expirationSeconds === undefined ? Date.parse(expirationTimestamp) : askedMs + expirationSeconds * 1000;
    const token: Token = { token: text, askedMs, expiresMs };
    this.#tokens.set(key, token);
    store.put(recordKind, key, token).catch((err: unknown) => {
      log.error({ err }, 'cannot keep a token; a reboot without the API server would not have it');
    });
    return token;
  }
}

interface Asking {
  token: Promise<Token>;
  ending: AbortController;
}

interface Renewal {
  /** Ends when the first try has, and soon in any case; never fails. */
  firstTry: Promise<void>;
  ending: AbortController;
}

interface Asked {
  uid: string;
  key: string;
  path: string;
  body: TokenRequest;
}

interface Token {
  token: string;
  /** Epoch. */
  askedMs: number;
  expiresMs: number;
}

const recordKind = 'cluster-tokens';
const longestMs = 24 * 3600_000;
const backoff = { initialMs: 500, maxMs: 30_000 };
const expiredWaitMs = 1000;

function requestOf(
  pod: Pod,
  { audience = '', expirationSeconds = 3600 }: ServiceAccountTokenProjection,
): Asked {
  const account = pod.spec?.serviceAccountName ?? 'default';
  const at = { resource: 'serviceaccounts', namespace: podNamespace(pod), name: account };
  return {
    uid: podUid(pod),
    key: JSON.stringify([podUid(pod), account, audience, expirationSeconds]),
    path: apiPath({ ...at, subresource: 'token' }),
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName(pod), uid: podUid(pod) },
      },
    },
  };
}

/** Its first part, without decoding the rest: all keys are looked at whenever a pod changes. A uid needs no escapes. */
const uidIn = (key: string): string => key.slice(2, key.indexOf('"', 2));

/** A clock that was set back makes it due too: its age is not known then. */
function isDue({ askedMs, expiresMs }: Token, nowMs: number): boolean {
  const ageMs = nowMs - askedMs;
  return ageMs < 0 || ageMs > Math.min((expiresMs - askedMs) * 0.8, longestMs);
}
