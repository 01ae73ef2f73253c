import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KubeClient } from './client.ts';
import type { ApiConnection, WireAnswer } from './connection.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('gives a request its time from its turn on, however long it waited for it', async () => {
  const { promise: turn, resolve: go } = Promise.withResolvers<void>();
  const access = {
    server: new URL('https://127.0.0.1:1'),
    insecureSkipTlsVerify: false,
    credentials: async () => ({}),
    refused: () => undefined,
  };
  const body = Readable.from([Buffer.from('{"kind":"Pod"}')]) as unknown as WireAnswer['body'];
  const connection: ApiConnection = {
    request: async (_request, signal) => {
      signal.throwIfAborted();
      return { status: 200, headers: {}, body };
    },
    renew: () => undefined,
    onRegained: () => () => undefined,
    close: () => undefined,
  };
  const client = new KubeClient(access, 'test', () => turn, connection);
  const answer = client.request({ path: '/p', timeoutMs: 1000 }, new AbortController().signal);
  const settled = Promise.allSettled([answer]);
  await vi.advanceTimersByTimeAsync(60_000);
  go();
  expect(await settled).toEqual([{ status: 'fulfilled', value: { kind: 'Pod' } }]);
});
