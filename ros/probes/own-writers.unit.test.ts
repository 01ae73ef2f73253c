import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import type { RosNode, RosTransport, TopicWatch, WatchEvent } from '../transport.ts';
import { watchOwnWriters } from './own-writers.ts';
import type { UdpSockets } from './ownership.ts';

const info = {
  prefix: 'a'.repeat(24),
  enclave: '/',
  locators: [{ address: '127.0.0.1', port: 7411 }],
  properties: {},
};
const writer = `${info.prefix}00000103`;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** One writer that comes, of which is found out whose it is when `sockets` are there. */
function watchOf(sockets: Promise<UdpSockets>) {
  let tell: (event: WatchEvent) => void = () => undefined;
  const watch: Partial<TopicWatch> = {
    accept: () => undefined,
    stats: () => ({ samples: 0, rateHz: 0 }) as ReturnType<TopicWatch['stats']>,
    close: () => undefined,
  };
  const transport = {
    prefix: 'b'.repeat(24),
    graph: { participant: () => info, onChange: () => () => undefined },
    watchTopic: (_topic: string, _options: unknown, onEvent: typeof tell) => {
      tell = onEvent;
      return watch as TopicWatch;
    },
  } as unknown as RosTransport;
  const context = {
    transport,
    node: {} as RosNode,
    udpSockets: () => sockets,
    isOfThisMachine: async () => true,
    log: silentLogger(),
  };
  const target = { addresses: [], pids: async () => [] };
  const own = watchOwnWriters(context, '/hb', target, {}, () => undefined);
  tell({ event: 'matched', writer, atMs: performance.now() } as WatchEvent);
  return { own, missed: () => own.missed({ atMs: 0, message: 'no heartbeat' }) };
}

test('nobody is missed while it is being found out whose a writer is', async () => {
  const { promise, resolve } = Promise.withResolvers<UdpSockets>();
  const { own, missed } = watchOf(promise);
  expect(missed()).toMatchObject({ state: 'unknown', isPassing: true });
  resolve(new Map());
  await expect.poll(() => missed().state).toBe('missed');
  expect(own.aside()).toContain('1 publisher is not of this pod');
  own.close();
});

test('it is not waited for without end', () => {
  const { own, missed } = watchOf(new Promise(() => undefined));
  vi.advanceTimersByTime(1999);
  expect(missed().state).toBe('unknown');
  vi.advanceTimersByTime(1);
  expect(missed().state).toBe('missed');
  own.close();
});
