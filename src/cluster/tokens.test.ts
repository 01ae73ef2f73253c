import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
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

const store: Store = { put: async () => undefined, delete: async () => undefined, load: async () => [] };

/** Of an API server that gives tokens that are good for so long. */
const connection = (expirationSeconds: number): ApiConnection => ({
  request: async () => {
    const answer = { spec: { expirationSeconds }, status: { token: 't', expirationTimestamp: '' } };
    const body = Readable.from([Buffer.from(JSON.stringify(answer))]) as unknown as WireAnswer['body'];
    return { status: 201, headers: {}, body };
  },
  renew: () => undefined,
  onRegained: () => () => undefined,
  close: () => undefined,
});

it('whoever asked for a token keeps nothing on its signal, be it new or renewed', async () => {
  let nowMs = 0;
  const tokens = new ServiceAccountTokens(
    {
      client: new KubeClient(access, 'test', undefined, connection(600)),
      store,
      onRenewed: () => undefined,
      now: () => nowMs,
      log: silentLogger(),
    },
    new AbortController().signal,
  );
  const { signal } = new AbortController();
  const pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec: { containers: [] } };
  expect(await tokens.token(pod, { path: 'token' }, signal)).toBe('t');
  nowMs += 700_000;
  expect(await tokens.token(pod, { path: 'token' }, signal)).toBe('t');
  await expect.poll(() => getEventListeners(signal, 'abort')).toEqual([]);
});
