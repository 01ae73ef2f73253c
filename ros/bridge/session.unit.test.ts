import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import type { BridgeAgent } from '../agent-port.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import { startSession } from './session.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const none = () => undefined;

/** One that has a reader of everything, and fails once it is closed, as the real ones do. */
function listenedTo() {
  let isClosed = false;
  const publish = vi.fn(() => {
    if (isClosed) throw new Error('the transport is closed');
  });
  const endpoint = { publish, close: none, subscriptions: 1 };
  const node = {
    createPublisher: () => endpoint,
    createService: () => endpoint,
    createClient: () => endpoint,
    createSubscription: () => endpoint,
    close: none,
  } as unknown as RosNode;
  const transport: Partial<RosTransport> = {
    description: 'a test',
    domainId: 0,
    createNode: () => node,
    close: async () => {
      isClosed = true;
    },
  };
  return { transport: transport as RosTransport, publish };
}

it('that is closed while something is measured for it tells nothing of that, and harms nobody', async () => {
  const measured = Promise.withResolvers<void>();
  const agent: Partial<BridgeAgent> = {
    nodeName: 'robot',
    version: '1',
    isClusterNode: false,
    startedAtMs: 0,
    node: () => ({}),
    pods: () => [],
    events: () => [],
    configuration: () => ({}),
    measure: () => measured.promise,
    measureMachine: async () => undefined,
    onNodeChange: () => none,
    onPodChange: () => none,
    onEvent: () => none,
    onLog: () => none,
    onPodLog: () => none,
  };
  const { transport, publish } = listenedTo();
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const session = startSession({
    transport,
    agent: agent as BridgeAgent,
    robot: 'r2',
    access: 'all',
    diagnosticsPeriodMs: 1000,
    log: silentLogger(),
  });
  vi.advanceTimersByTime(1000);
  await session.close();
  const told = publish.mock.calls.length;
  measured.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
  expect(publish).toHaveBeenCalledTimes(told);
});
