import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import type { Store } from '../store/store.ts';
import { KubeClient } from './client.ts';
import type { ApiConnection, WireAnswer } from './connection.ts';
import { ServiceAccountTokens } from './tokens.ts';

const access = {
  server: new URL('https://127.0.0.1:1'),
  insecureSkipTlsVerify: false,
  credentials: async () => ({}),
  refused: () => undefined,
};

const emptyStore: Store = { put: async () => undefined, delete: async () => undefined, load: async () => [] };

/** Of an API server that gives tokens that are good for so long. */
const connection = (expirationSeconds: number): ApiConnection => ({
  request: async (_request, signal) => {
    await setImmediate();
    signal.throwIfAborted();
    const answer = { spec: { expirationSeconds }, status: { token: 't', expirationTimestamp: '' } };
    const body = Readable.from([Buffer.from(JSON.stringify(answer))]) as unknown as WireAnswer['body'];
    return { status: 201, headers: {}, body };
  },
  renew: () => undefined,
  onRegained: () => () => undefined,
  close: () => undefined,
});

let nowMs = 0;
const tokensIn = (store: Store): ServiceAccountTokens =>
  new ServiceAccountTokens(
    {
      client: new KubeClient(access, 'test', undefined, connection(600)),
      store,
      onRenewed: () => undefined,
      now: () => nowMs,
      log: silentLogger(),
    },
    new AbortController().signal,
  );
const pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec: { containers: [] } };

it('whoever asked for a token keeps nothing on its signal, be it new or renewed', async () => {
  const tokens = tokensIn(emptyStore);
  const { signal } = new AbortController();
  expect(await tokens.token(pod, { path: 'token' }, signal)).toBe('t');
  nowMs += 700_000;
  expect(await tokens.token(pod, { path: 'token' }, signal)).toBe('t');
  await expect.poll(() => getEventListeners(signal, 'abort')).toEqual([]);
});

it('what is asked for when the pod goes is not kept', async () => {
  const kept: string[] = [];
  const tokens = tokensIn({ ...emptyStore, put: async (_kind, key) => void kept.push(key) });
  const asked = Promise.allSettled([tokens.token(pod, { path: 'token' }, new AbortController().signal)]);
  tokens.keepOnly(new Set());
  expect((await asked)[0]?.status).toBe('rejected');
  expect(kept).toEqual([]);
});
