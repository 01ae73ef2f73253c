/** Every kind that asks whose a participant is: nobody is missed while that is being found out, and that is bounded. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import type { RosProbeSpec } from '../prober.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import { watchBond } from './bond.ts';
import { watchOn } from './kinds.ts';
import { watchLifecycle } from './lifecycle.ts';
import { watchNode } from './node.ts';
import type { UdpSockets } from './ownership.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';

const info = {
  prefix: 'a'.repeat(24),
  enclave: '/',
  locators: [{ address: '127.0.0.1', port: 7411 }],
  properties: {},
};
const writer = `${info.prefix}00000103`;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'setInterval'] }));
afterEach(() => void vi.useRealTimers());

/** One participant that is a node, serves its state and holds a bond. */
function contextOf(
  sockets: Promise<UdpSockets>,
  answer: () => Promise<unknown> = () => new Promise(none),
  tellsWriters = true,
) {
  let beat: () => void = () => undefined;
  const graph = {
    participant: () => info,
    onChange: () => () => undefined,
    nodes: () => [{ namespace: '/', name: 'driver', participant: info.prefix }],
  };
  const node = {
    createClient: () => ({
      servers: [writer],
      call: answer,
      close: () => undefined,
    }),
    createSubscription: (
      _topic: string,
      _type: unknown,
      _qos: unknown,
      listener: (...given: unknown[]) => void,
    ) => {
      const status = { id: 'b', instance_id: 'i', active: true, heartbeat_timeout: 4 };
      beat = () => listener(status, { writer, receivedMs: performance.now() });
      return { close: () => undefined };
    },
  };
  const context: WatchContext = {
    transport: {
      prefix: 'b'.repeat(24),
      graph,
      capabilities: { tellsWriters },
      description: 'a transport',
    } as unknown as RosTransport,
    node: node as unknown as RosNode,
    udpSockets: () => sockets,
    isOfThisMachine: async () => true,
    log: silentLogger(),
  };
  return { context, beat: () => beat() };
}

const target = { addresses: [], pids: async () => [] };
const none = () => undefined;
type Of<Kind extends RosProbeSpec['kind']> = Extract<RosProbeSpec, { kind: Kind }>;
const node: Of<'node'> = { kind: 'node', node: '/driver' };
const lifecycle: Of<'lifecycle'> = { kind: 'lifecycle', node: '/driver', state: 'active' };
const bond: Of<'bond'> = { kind: 'bond', topic: '/bond', id: 'b' };

describe.each<[string, (context: WatchContext) => KindWatch]>([
  ['node', (context) => watchNode(context, node, target, none)],
  ['lifecycle', (context) => watchLifecycle(context, lifecycle, target, none)],
  ['bond', (context) => watchBond(context, bond, target, none)],
])('a %s probe', (kind, begin) => {
  const begun = (sockets: Promise<UdpSockets>) => {
    const { context, beat } = contextOf(sockets);
    const watch = begin(context);
    if (kind === 'bond') beat();
    // Servers that are there from the start are looked at with the next turn.
    if (kind === 'lifecycle') vi.advanceTimersByTime(2000);
    return watch;
  };

  test('misses nobody while it is being found out whose a participant is', async () => {
    const { promise, resolve } = Promise.withResolvers<UdpSockets>();
    const watch = begun(promise);
    expect(watch.check()).toMatchObject({ state: 'unknown', isPassing: true });
    resolve(new Map());
    vi.useRealTimers();
    // Both: by the real clock the time for it may be over.
    await expect
      .poll(() => watch.check())
      .toMatchObject({ state: 'missed', message: expect.stringContaining('not of this pod') });
    watch.close();
  });

  test('does not wait for that without end', () => {
    const watch = begun(new Promise(none));
    vi.advanceTimersByTime(1999);
    expect(watch.check().state).toBe('unknown');
    vi.advanceTimersByTime(1);
    expect(watch.check().state).toBe('missed');
    watch.close();
  });
});

describe.each([lifecycle, bond])(
  'a $kind probe on a transport that does not tell whose a sample is',
  (spec) => {
    test('knows nothing, and says why', () => {
      const { context } = contextOf(Promise.resolve(new Map()), undefined, false);
      expect(watchOn(context)(spec, target, none).check()).toMatchObject({
        state: 'unknown',
        message: expect.stringContaining(
          'a transport does not tell whose a sample is: set ros.transport to cyclone',
        ),
      });
    });
  },
);

describe('a lifecycle probe whose node is of the pod', () => {
  const ofPod = { ...target, addresses: ['127.0.0.1'] };
  /** Asked for at once, when it is known whose it is. */
  async function begun(answer: Promise<unknown>) {
    const { context } = contextOf(Promise.resolve(new Map()), () => answer);
    const watch = watchLifecycle(context, lifecycle, ofPod, none);
    await vi.advanceTimersByTimeAsync(2000);
    return watch;
  }

  test('misses nobody while it is being asked for its state', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const watch = await begun(promise);
    expect(watch.check()).toMatchObject({ state: 'unknown', isPassing: true });
    expect(watch.check().message).toContain('is being asked');
    resolve({ current_state: { label: 'inactive' } });
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.check()).toMatchObject({
      state: 'missed',
      message: 'the node /driver is inactive, not active',
    });
    watch.close();
  });

  test('does not wait without end for the answer', async () => {
    const watch = await begun(new Promise(none));
    await vi.advanceTimersByTimeAsync(1999);
    expect(watch.check().state).toBe('unknown');
    await vi.advanceTimersByTimeAsync(1);
    expect(watch.check().state).toBe('missed');
    watch.close();
  });
});
